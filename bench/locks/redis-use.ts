/** What one Redis server says that it has done. */
import type { RedisMember } from '@lockstep/testkit'
import type { Contestant } from './contestants.ts'

export interface RedisUse {
  /** What clients have sent to take, keep and give back names: scripts, and SET where the library uses it. */
  readonly requests: number
  /** Time inside of those requests. */
  readonly requestMicros: number
  /** User and system time of the server. */
  readonly cpuMs: number
}

export async function redisUse(members: readonly RedisMember[], { setsPlainly }: Contestant): Promise<RedisUse> {
  const uses = await Promise.all(members.map((member) => useOf(member, setsPlainly)))
  return uses.reduce(plus, { requests: 0, requestMicros: 0, cpuMs: 0 })
}

export function usedBetween(before: RedisUse, after: RedisUse): RedisUse {
  return {
    requests: after.requests - before.requests,
    requestMicros: after.requestMicros - before.requestMicros,
    cpuMs: after.cpuMs - before.cpuMs,
  }
}

async function useOf(member: RedisMember, setsPlainly: boolean): Promise<RedisUse> {
  const [commands, cpu] = await Promise.all([member.ask('INFO', 'commandstats'), member.ask('INFO', 'cpu')])
  const names = setsPlainly ? ['eval', 'evalsha', 'set'] : ['eval', 'evalsha']
  const stats = names.map((name) => new RegExp(`^cmdstat_${name}:calls=(\\d+),usec=(\\d+)`, 'm').exec(commands))
  const seconds = ['used_cpu_user', 'used_cpu_sys'].map((name) =>
    Number(new RegExp(`^${name}:(.+)`, 'm').exec(cpu)?.[1]),
  )
  return {
    requests: stats.reduce((sum, stat) => sum + Number(stat?.[1] ?? 0), 0),
    requestMicros: stats.reduce((sum, stat) => sum + Number(stat?.[2] ?? 0), 0),
    cpuMs: seconds.reduce((sum, one) => sum + one * 1_000, 0),
  }
}

function plus(one: RedisUse, other: RedisUse): RedisUse {
  return {
    requests: one.requests + other.requests,
    requestMicros: one.requestMicros + other.requestMicros,
    cpuMs: one.cpuMs + other.cpuMs,
  }
}
