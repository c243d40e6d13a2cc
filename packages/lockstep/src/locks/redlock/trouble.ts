import { LockstepError } from '../../errors.ts'
import { RedisCallError } from '../../ports/index.ts'
import { isHopeless } from '../redis/hopeless.ts'

/** As errors name it. */
export const backendName = 'RedLock'

/** Why a node has said neither yes nor no. */
export interface Silence {
  readonly node: string
  readonly error: Error
}

/** Of so many nodes somebody has to mend a setting that the others are no majority: no repeat helps. */
export function leaveNoMajority(silences: readonly Silence[], quorum: number): boolean {
  // The number of nodes is odd: as many as a majority leave none.
  return hopelessOf(silences).length >= quorum
}

/** In the words of the lock contract: configuration when no repeat helps, unavailable for everything else. */
export function unavailable(what: string, silences: readonly Silence[], quorum: number): LockstepError {
  const noneHelps = leaveNoMajority(silences, quorum)
  const told = noneHelps ? hopelessOf(silences) : silences
  const causes = told.map(({ node, error }) => `${node}: ${error.message}`)
  const reasons = causes.map((cause) => cause.replace(/\.$/, '')).join('; ') || 'they disagree'
  const options = {
    message: `${backendName}: too few nodes answered for it to be ${what}: ${reasons}.`,
    details: { backend: backendName, causes },
    cause: new AggregateError(told.map(({ error }) => error)),
  }
  if (noneHelps)
    return new LockstepError('LOCKSTEP_CONFIGURATION', {
      ...options,
      next: 'Check the user, the password, its rights and the database on each master; locks need scripts, INFO and pub/sub.',
    })
  const outcome = silences.some(({ error }) => isAnswerLost(error)) ? 'unknown' : 'not-applied'
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { ...options, outcome })
}

function hopelessOf(silences: readonly Silence[]): readonly Silence[] {
  return silences.filter(({ error }) => isHopeless(error))
}

/** What was asked may have had its effect, or may still have it. */
function isAnswerLost(error: Error): boolean {
  return error instanceof RedisCallError && error.failure === 'unknown'
}
