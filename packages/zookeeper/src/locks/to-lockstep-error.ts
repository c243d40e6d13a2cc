import { isLockstepError, LockstepError, messageOf } from 'lockstep'
import { isZooKeeperError, type ZooKeeperError, type ZooKeeperErrorCode } from '../errors.ts'

/** What no repeat mends: somebody has to change a setting. */
const configurationCodes = [
  'AUTH_FAILED',
  'NO_AUTH',
  'INVALID_ACL',
  'SASL_REQUIRED',
  'BAD_ARGUMENTS',
  'UNIMPLEMENTED',
  'NO_CHILDREN_FOR_EPHEMERALS',
  'EPHEMERAL_ON_LOCAL_SESSION',
] as const satisfies readonly ZooKeeperErrorCode[]

const remedies: Partial<Record<ZooKeeperErrorCode, string>> = {
  NO_CHILDREN_FOR_EPHEMERALS: 'Use the same recipe for a name in every process: here it is held by the ephemeral one.',
  NO_AUTH: 'Give the credentials of whoever made the nodes below `root`, or another `root`.',
  UNIMPLEMENTED: 'Use ZooKeeper 3.5 or newer.',
}

/** Of this client's errors only what a caller of locks can act on is left: mend the configuration, or come again. */
export function toLockstepError(error: unknown): unknown {
  if (isLockstepError(error) || !isZooKeeperError(error)) return error
  const root = rootOf(error)
  if (root === null) return unavailable(messageOf(error), error)
  const next = remedies[root.code] ?? 'Mend the options of `zookeeperLocks`.'
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message: root.message, next, cause: error })
}

/** What has to be mended, also where it is why a connection was ended: refused credentials fail every request that is open. */
function rootOf(error: unknown): ZooKeeperError | null {
  if (isZooKeeperError(error, ...configurationCodes)) return error
  return isZooKeeperError(error) && error.cause !== undefined ? rootOf(error.cause) : null
}

export function unavailable(message: string, cause?: unknown): LockstepError<'LOCKSTEP_LOCK_UNAVAILABLE'> {
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message, cause })
}

/** The session is over, and with it everything ephemeral: another one may start over. */
export function isSessionOver(error: unknown): boolean {
  return isZooKeeperError(error, 'SESSION_EXPIRED', 'UNKNOWN_SESSION')
}

/** The connection or the server failed, not the request: it may be sent again. */
export function mayPass(error: unknown): boolean {
  return isZooKeeperError(error, 'CONNECTION_LOSS', 'TIMEOUT', 'OPERATION_TIMEOUT', 'SESSION_MOVED', 'THROTTLED')
}
