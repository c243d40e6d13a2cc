import { isLockstepError, LockstepError, messageOf } from 'lockstep'
import { type EtcdError, grpcStatus, isEtcdError } from '../errors.ts'

/** What no repeat mends: options of which no request can be made, credentials, permissions, a server without this interface. */
const mistaken: ReadonlySet<number> = new Set([
  grpcStatus.invalidArgument,
  grpcStatus.permissionDenied,
  grpcStatus.failedPrecondition,
  grpcStatus.unimplemented,
  grpcStatus.unauthenticated,
])

/** Errors of the client in the words of the lock contract. */
export function toLockstepError(error: unknown, name: string): LockstepError {
  if (isLockstepError(error)) return error
  if (isMistake(error)) return refused(error)
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
    message: `etcd did not do what was asked for the lock ${name}: ${messageOf(error)}`,
    outcome: isEtcdError(error, 'unknown') ? 'unknown' : 'not-applied',
    details: { name },
    cause: error,
  })
}

/** The lease was revoked or has run out: nothing of its session is left. */
export function isLeaseGone(error: unknown): boolean {
  return isEtcdError(error, 'refused') && error.status === grpcStatus.notFound
}

/** No endpoint, no leader, no answer, too much to do: another try may fare better. */
export function mayPass(error: unknown): boolean {
  return isEtcdError(error) && !isMistake(error)
}

function isMistake(error: unknown): error is EtcdError {
  return isEtcdError(error, 'refused') && mistaken.has(error.status ?? -1)
}

function refused(error: EtcdError): LockstepError<'LOCKSTEP_CONFIGURATION'> {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `etcd refuses: ${messageOf(error)}`,
    next:
      'Check username and password, headers and tls, the permissions of the role for the prefix of the locks, and that it is etcd 3.4 or ' +
      'newer.',
    cause: error,
  })
}
