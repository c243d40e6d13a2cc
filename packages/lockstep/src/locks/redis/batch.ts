import {
  RedisCallError,
  type RedisConnection,
  type RedisReply,
  type RedisScript,
  type Timers,
} from '../../ports/index.ts'

/** One who is answered, in the time that it is given. */
export interface Asked {
  readonly timeoutMs: number
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: unknown) => void
}

export interface Request {
  readonly script: RedisScript
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/**
 * One request for several, whose script answers a list with one reply for each. It has the time of the most patient one; whoever has less is told in
 * its own that there was no answer. Where the server forbids one of the keys it refuses all of them, and each is asked for `alone`.
 */
export async function askForAll(
  { connection, timers }: { readonly connection: RedisConnection; readonly timers: Timers },
  { script, keys, args }: Request,
  all: readonly Asked[],
  alone: (index: number) => void,
): Promise<void> {
  const timeoutMs = Math.max(...all.map((one) => one.timeoutMs))
  const brief = all.filter((one) => one.timeoutMs < timeoutMs)
  const running = brief.map((one) => timers.after(one.timeoutMs, () => one.reject(noAnswer())))
  try {
    const replies = (await connection.script(script, keys, args, { timeoutMs })) as readonly RedisReply[]
    for (const [index, one] of all.entries()) one.resolve(replies[index] ?? null)
  } catch (error) {
    const isForbidden = error instanceof RedisCallError && error.reply === 'NOPERM' && all.length > 1
    for (const [index, one] of all.entries()) {
      if (isForbidden) alone(index)
      else one.reject(error)
    }
  } finally {
    for (const timer of running) timer.cancel()
  }
}

function noAnswer(): RedisCallError {
  return new RedisCallError('unknown', 'Redis did not answer in time.')
}
