/**
 * A Redis that forgets what it has answered: the master has no append-only file, and its replica lags when it becomes the master. Exclusion is not
 * promised here; the fence is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisMember, type RunningRedis, startRedis } from '@lockstep/testkit'
import type { Servers } from './faulty-servers.ts'
import { redisKeys } from './leftovers.ts'

export async function lossyRedis(onMoved: (at: number, port: number) => void): Promise<Servers> {
  const settings = { 'repl-diskless-sync-delay': 0 }
  const started: RunningRedis[] = [await startRedis({ appendonly: false, private: true, settings })]
  let master = memberOf(started[0])
  started.push(await startRedis({ appendonly: false, private: true, settings, replicaOf: master }))
  let replica = memberOf(started[1])
  return {
    ports: [master.port],
    database: '',
    faults: ['fail-over', 'kill', 'pause'],
    excludes: false,
    async strike(fault, { forMs, untilHeld }) {
      if (fault === 'fail-over') {
        await failOver(master, replica, async () => {
          await sleep(Math.max(forMs, lagMinMs))
          await untilHeld()
        })
        ;[master, replica] = [replica, master]
        onMoved(0, master.port)
        return replicate(replica, master)
      }
      if (fault === 'pause') {
        await master.pause()
        await sleep(forMs)
        return master.resume()
      }
      await untilHeld()
      await master.kill()
      await sleep(Math.min(forMs, downMaxMs))
      await master.restart()
      // What was started as a replica is one again.
      await become(master, 'master', ['NO', 'ONE'])
    },
    leftovers: () => redisKeys(master),
    async stop() {
      await Promise.all(started.map(({ stop }) => stop()))
    },
  }
}

/** So that something is granted meanwhile. */
const lagMinMs = 500
/** So that whoever holds it still does when the server is back, and has forgotten it. */
const downMaxMs = 200

/**
 * What is granted after the replica was cut off is lost. Stopping it would not do: what the master sends waits in its socket, and it reads that
 * before it is told to be the master.
 */
async function failOver(master: RedisMember, replica: RedisMember, lag: () => Promise<void>): Promise<void> {
  await untilInfo(replica, 'master_link_status:up')
  await become(replica, 'master', ['NO', 'ONE'])
  await lag()
  await master.kill()
}

async function replicate(replica: RedisMember, master: RedisMember): Promise<void> {
  await replica.restart()
  await become(replica, 'slave', ['127.0.0.1', String(master.port)])
}

/** One that still loads what it was sent refuses. */
async function become(member: RedisMember, role: 'master' | 'slave', of: readonly string[]): Promise<void> {
  await untilInfo(member, `role:${role}`, () => member.ask('REPLICAOF', ...of))
}

async function untilInfo(
  member: RedisMember,
  line: string,
  ask = async (): Promise<unknown> => undefined,
): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    await ask()
    if ((await member.ask('INFO', 'replication')).includes(line)) return
    await sleep(50)
  }
  throw new Error(`the Redis at ${member.port} does not come to ${line}`)
}

function memberOf(redis: RunningRedis | undefined): RedisMember {
  const member = redis?.members[0]
  if (member === undefined) throw new Error('there is no private Redis')
  return member
}
