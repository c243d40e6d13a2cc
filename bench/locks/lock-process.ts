/** A process of a service that uses locks, by one library. */
import { setTimeout as pause } from 'node:timers/promises'
import { answerQuestions } from '../setting/child.ts'
import type { LockerName } from './contestants.ts'
import type { Account } from './history.ts'
import type { Held, Locker, OpenLocker, Ways } from './locker.ts'
import { type ContestOptions, type Cycles, type CyclesOptions, runContest, runCycles } from './work.ts'

export type LockQuestion =
  | { readonly kind: 'open'; readonly locker: LockerName; readonly ways: Ways }
  | ({ readonly kind: 'cycles' } & CyclesOptions)
  | ({ readonly kind: 'contest' } & ContestOptions)
  /** Takes so many names and keeps them. */
  | { readonly kind: 'keep'; readonly leases: number; readonly name: string }
  /** Does nothing but what the library does by itself. */
  | { readonly kind: 'rest'; readonly seconds: number }

export type LockAnswer = Cycles | Account | null

let locker: Locker
const kept: Held[] = []

// Whoever waits or holds is ended with the process: nothing is closed.
answerQuestions<LockQuestion, LockAnswer>(async (question) => {
  switch (question.kind) {
    case 'open':
      locker = await (await openerOf(question.locker))(question.ways)
      return null
    case 'cycles':
      return runCycles(locker, question)
    case 'contest':
      return runContest(locker, question)
    case 'keep':
      await keep(question.name, question.leases)
      return null
    case 'rest':
      return rest(question.seconds)
  }
})

async function keep(name: string, leases: number): Promise<void> {
  for (let from = 0; from < leases; from += 250) {
    const numbers = Array.from({ length: Math.min(250, leases - from) }, (_, index) => from + index)
    kept.push(...(await Promise.all(numbers.map((number) => locker.lock(`${name}-${number}`)))))
  }
}

async function rest(seconds: number): Promise<Cycles> {
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()]
  await pause(seconds * 1_000)
  const { user, system } = process.cpuUsage(cpu)
  return { cycles: kept.length, seconds: (performance.now() - startedMs) / 1_000, cpuMs: (user + system) / 1_000 }
}

/** Only the library that is measured is loaded. */
async function openerOf(name: LockerName): Promise<OpenLocker> {
  switch (name) {
    case 'rawIoRedis':
    case 'rawNodeRedis':
      return (await import('./lockers/raw-redis.ts'))[name]
    case 'redlock4':
    case 'redlock5':
    case 'redisSemaphore':
    case 'redlockUniversal':
    case 'ioredisLock':
      return (await import('./lockers/redis-peers.ts'))[name]
    case 'etcd3':
      return (await import('./lockers/etcd-peers.ts'))[name]
    case 'ourClient':
    case 'nodeZooKeeperClient':
    case 'nativeZooKeeper':
      return (await import('./lockers/zookeeper-clients.ts'))[name]
    default:
      return (await import('./lockers/lockstep.ts'))[name]
  }
}
