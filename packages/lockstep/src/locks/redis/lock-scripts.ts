import type { RedisScript } from '../../ports/index.ts'

/** All kinds of locks take the same arguments in the same order, so that one contention serves them all. */
export interface LockScripts {
  readonly acquire: RedisScript
  readonly release: RedisScript
  readonly pass: RedisScript
  readonly extend: RedisScript
  readonly show: RedisScript
  readonly evict: RedisScript
}
