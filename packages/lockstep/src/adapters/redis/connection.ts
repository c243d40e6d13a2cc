import type { LockEnvironment, RedisConnection, RedisConnectionState } from '../../ports/index.ts'
import { Calls } from './calls.ts'
import { Messages } from './messages.ts'
import type { MakeRawRedis } from './raw-redis.ts'

/** Both links over one package's raw clients. Nothing is opened before the first call. */
export function openConnection(make: MakeRawRedis, environment: LockEnvironment): RedisConnection {
  const told = new Set<(state: RedisConnectionState, cause?: Error) => void>()
  const calls = new Calls(make, environment, (state, cause) => {
    for (const tell of [...told]) tell(state, cause)
  })
  const messages = new Messages(make, environment)
  return {
    script: (script, keys, args, options) => calls.script(script, keys, args, options),
    command: (args, options) => calls.command(args, options),
    afterSending: (run) => void setImmediate(run),
    subscribe: (channel, listener) => messages.subscribe(channel, listener),
    onConnectionChange(tell) {
      told.add(tell)
      return () => void told.delete(tell)
    },
    async close() {
      calls.close()
      messages.close()
      told.clear()
    },
  }
}
