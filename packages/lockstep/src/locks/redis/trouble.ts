import { LockstepError, messageOf } from '../../errors.ts'
import { RedisCallError } from '../../ports/index.ts'
import { isHopeless } from './hopeless.ts'

/** In the words of the lock contract: configuration for what will not pass by itself, unavailable for everything else. */
export function toLockError(error: unknown, backend: string): LockstepError {
  if (error instanceof LockstepError) return error
  if (isHopeless(error))
    return new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `${backend}: ${messageOf(error)}`,
      next: 'Check the user, the password, its rights, the database and the prefix; locks need scripts, and pub/sub unless `wakeUp` is poll.',
      cause: error,
    })
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
    message: `${backend}: ${messageOf(error)}`,
    outcome: isUnknown(error) ? 'unknown' : 'not-applied',
    details: { backend },
    cause: error,
  })
}

/** Whether it may have had its effect. */
export function isUnknown(error: unknown): boolean {
  return error instanceof RedisCallError && error.failure === 'unknown'
}
