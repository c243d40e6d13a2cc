/** The loops of one process. Each is bounded in count or in time. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Account, type Grant, machineMs } from './history.ts'
import type { Locker } from './locker.ts'

export interface CyclesOptions {
  readonly name: string
  readonly inFlight: number
  readonly seconds: number
}

export interface Cycles {
  readonly cycles: number
  readonly seconds: number
  /** User and system time of this process. */
  readonly cpuMs: number
}

/** Each loop takes a name of its own and gives it back, one after the other. */
export async function runCycles(locker: Locker, { name, inFlight, seconds }: CyclesOptions): Promise<Cycles> {
  let cycles = 0
  const untilMs = machineMs() + seconds * 1_000
  const loop = async (number: number): Promise<void> => {
    while (machineMs() < untilMs) {
      const held = await locker.lock(`${name}-${number}`)
      await held.release()
      cycles += 1
    }
  }
  const [startedMs, cpu] = [machineMs(), process.cpuUsage()]
  await Promise.all(Array.from({ length: inFlight }, (_, number) => loop(number)))
  const { user, system } = process.cpuUsage(cpu)
  return { cycles, seconds: (machineMs() - startedMs) / 1_000, cpuMs: (user + system) / 1_000 }
}

export interface ContestOptions {
  readonly name: string
  /** Of this process. */
  readonly waiters: number
  /** The number of the first of them. */
  readonly firstWaiter: number
  readonly holdMs: number
  /** By `machineMs`, so that several processes begin together. */
  readonly startAtMs: number
  readonly seconds: number
  /** `once`: each waiter is served once, and the contest may end before its time. `again`: without a thought between two turns. */
  readonly turns: 'once' | 'again'
}

/** All waiters want one name. Those that are not served at the end stay behind: the process is ended with them. */
export async function runContest(locker: Locker, options: ContestOptions): Promise<Account> {
  const { name, waiters, firstWaiter, holdMs, startAtMs, turns } = options
  const grants: Grant[] = []
  const waitingSinceMs = new Map<number, number>()
  const untilMs = startAtMs + options.seconds * 1_000
  let isOver = false
  const turn = async (waiter: number): Promise<void> => {
    const askedMs = machineMs()
    waitingSinceMs.set(waiter, askedMs)
    const held = await locker.lock(name)
    const acquiredMs = machineMs()
    if (isOver) return
    waitingSinceMs.delete(waiter)
    await pause(holdMs)
    grants.push({ waiter, askedMs, acquiredMs, releasedMs: machineMs(), token: held.token })
    await held.release()
  }
  const loop = async (waiter: number): Promise<void> => {
    do await turn(waiter)
    while (turns === 'again' && machineMs() < untilMs)
  }
  await pause(Math.max(0, startAtMs - machineMs()))
  const all = Promise.all(Array.from({ length: waiters }, (_, index) => loop(firstWaiter + index)))
  await Promise.race([all, pause(Math.max(0, untilMs - machineMs()))])
  isOver = true
  return { grants, waitingSinceMs: [...waitingSinceMs.values()], endedMs: machineMs() }
}
