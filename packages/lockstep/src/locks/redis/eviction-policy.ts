import { messageOf } from '../../errors.ts'
import type { LockEnvironment, RedisConnection } from '../../ports/index.ts'

/** Keys of locks expire, so a server that is short of memory would drop exactly them. */
export async function warnOfEviction(
  connection: RedisConnection,
  { log }: LockEnvironment,
  timeoutMs: number,
): Promise<void> {
  try {
    const info = String(await connection.command(['INFO', 'memory'], { timeoutMs }))
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
    if (limit > 0 && policy !== 'noeviction')
      log.warn({ policy }, `Redis may drop locks when it is full: maxmemory-policy is ${policy}. Set it to noeviction.`)
  } catch (error) {
    log.debug({ reason: messageOf(error) }, 'Redis does not tell its eviction policy.')
  }
}
