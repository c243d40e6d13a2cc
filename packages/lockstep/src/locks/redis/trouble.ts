import { LockstepError, messageOf } from '../../errors.ts'
import { RedisCallError } from '../../ports/index.ts'

/** No repeat helps against these: somebody has to mend a setting. */
const hopeless = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM', 'WRONGTYPE', 'DENIED', 'NOPROTO'])
const hopelessWords = /unknown command|DB index is out of range/i

/** In the words of the lock contract: configuration for what will not pass by itself, unavailable for everything else. */
export function toLockError(error: unknown, backend: string): LockstepError {
  if (error instanceof LockstepError) return error
  const refused = error instanceof RedisCallError && error.failure === 'refused'
  if (refused && (hopeless.has(error.reply) || hopelessWords.test(error.message)))
    return new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `${backend}: ${error.message}`,
      next: 'Check the user, the password, its rights, the database and the prefix; locks need scripts, and pub/sub unless `wakeUp` is poll.',
      cause: error,
    })
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
    message: `${backend}: ${messageOf(error)}`,
    details: { backend },
    cause: error,
  })
}

/** Whether it may have had its effect. */
export function isUnknown(error: unknown): boolean {
  return error instanceof RedisCallError && error.failure === 'unknown'
}
