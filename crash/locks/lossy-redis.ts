/**
 * A Redis that forgets what it has answered: the master has no append-only file, and its replica lags when it becomes the master. Exclusion is not
 * promised here; the fence is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisMember, type RunningRedis, startRedis } from '@lockstep/testkit'
import type { Servers } from './faulty-servers.ts'
import { redisKeys } from './leftovers.ts'

export async function lossyRedis(onMoved: (at: number, port: number) => void): Promise<Servers> {
  const started: RunningRedis[] = [await startRedis({ appendonly: false, private: true })]
  let master = memberOf(started[0])
  started.push(await startRedis({ appendonly: false, private: true, replicaOf: master }))
  let replica = memberOf(started[1])
  return {
    ports: [master.port],
    database: '',
    faults: ['fail-over', 'kill', 'pause'],
    async strike(fault, { forMs }) {
      if (fault === 'fail-over') {
        ;[master, replica] = await failOver(master, replica, forMs)
        return onMoved(0, master.port)
      }
      await (fault === 'kill' ? master.kill() : master.pause())
      await sleep(forMs)
      if (fault !== 'kill') return master.resume()
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

/** What was granted while the replica stood still is lost. */
async function failOver(master: RedisMember, replica: RedisMember, lagMs: number): Promise<[RedisMember, RedisMember]> {
  await replica.pause()
  await sleep(lagMs)
  await master.kill()
  replica.resume()
  await become(replica, 'master', ['NO', 'ONE'])
  await master.restart()
  await become(master, 'slave', ['127.0.0.1', String(replica.port)])
  return [replica, master]
}

/** One that still loads what it was sent refuses. */
async function become(member: RedisMember, role: 'master' | 'slave', of: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    await member.ask('REPLICAOF', ...of)
    if ((await member.ask('INFO', 'replication')).includes(`role:${role}`)) return
    await sleep(50)
  }
  throw new Error(`the Redis at ${member.port} does not become a ${role}`)
}

function memberOf(redis: RunningRedis | undefined): RedisMember {
  const member = redis?.members[0]
  if (member === undefined) throw new Error('there is no private Redis')
  return member
}
