import { LockstepError } from '../../errors.ts'

/** What every call is answered after `close()`; no repeat helps. */
export function locksClosed(backend: string): LockstepError<'LOCKSTEP_LOCK_UNAVAILABLE'> {
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
    message: `${backend}: the locks are closed.`,
    next: 'Create the locks anew, or close them only after their last use.',
    retriable: false,
  })
}
