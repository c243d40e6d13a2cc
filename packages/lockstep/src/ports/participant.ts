import type { BarrierDatabase } from './barrier-database.ts'
import type { Json } from './json.ts'
import type { Logger } from './logger.ts'
import type { Operation, Outcome } from './outcome.ts'
import type { Clock, Sha256 } from './time.ts'

/** What a participant needs from the process around it; the same for every call. */
export interface ParticipantSurroundings {
  readonly clock: Pick<Clock, 'now'>
  readonly sha256: Sha256
  /** Kinds of database handle that `branch.transact` accepts. */
  readonly databases: readonly BarrierDatabase[]
  readonly logger: Logger
  /** How long the participant's database keeps barrier rows. */
  readonly barrierRetentionMs: number
}

/** One attempt as the participant sees it. */
export interface ParticipantCall {
  readonly store: string
  readonly transaction: string
  readonly branch: string
  readonly attempt: number
  /** When the transaction began, milliseconds by the store's clock. */
  readonly begunAt: number
  readonly traceparent: string | null
  /** Aborted when nobody waits for the answer any more. The work may go on all the same. */
  readonly signal?: AbortSignal
}

/**
 * A participant as transports see it.
 *
 * `run` never rejects: whatever the user's code does ends as an outcome. An operation that is not in `operations` is
 * `unknown`.
 */
export interface ParticipantDefinition {
  /** `<service>.<name>`; a check-back has the bare name of its service. */
  readonly name: string
  /** True when its operations take effect through `branch.transact`: repeats and surplus reversals are no-ops. */
  readonly barrier: boolean
  readonly operations: readonly Operation[]
  run(operation: Operation, input: Json, call: ParticipantCall, surroundings: ParticipantSurroundings): Promise<Outcome>
}

/** What answers for a service whether the local transaction of a message was committed: its one operation is `check`. */
export interface CheckBackDefinition extends ParticipantDefinition {
  readonly kind: 'check-back'
}

export function isCheckBack(definition: ParticipantDefinition): definition is CheckBackDefinition {
  return (definition as Partial<CheckBackDefinition>).kind === 'check-back'
}

const verdictKey = Symbol.for('lockstep.verdict')

/**
 * Thrown inside a participant to end the call with an outcome that is no failure. Recognised by a registered symbol,
 * so that two copies of the package agree. Databases roll back for it as for any error, but need not doubt their
 * connection.
 */
export class Verdict extends Error {
  override readonly name = 'Verdict'
  readonly [verdictKey]: Outcome

  constructor(outcome: Outcome) {
    super(`The operation ended as ${outcome.kind}.`)
    this[verdictKey] = outcome
  }
}

export function verdictOf(error: unknown): Outcome | null {
  if (typeof error !== 'object' || error === null) return null
  return (error as { [verdictKey]?: Outcome })[verdictKey] ?? null
}
