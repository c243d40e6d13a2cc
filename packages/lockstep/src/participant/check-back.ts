import type { StandardSchemaV1 } from '@standard-schema/spec'
import { LockstepError } from '../errors.ts'
import type {
  CheckBackDefinition,
  Decision,
  Json,
  Outcome,
  ParticipantCall,
  ParticipantSurroundings,
} from '../ports/index.ts'
import { isServiceName, localBranch } from '../protocol/index.ts'
import type { BranchFacts } from './branch.ts'
import { OpenBranch } from './open-branch.ts'
import { outcomeOf } from './outcome-of.ts'
import { validate } from './validation.ts'

/** What answers for a service whether the local transaction of a message was committed. Its name is the service's. */
export interface CheckBack<Input = unknown, Service extends string = string> extends CheckBackDefinition {
  readonly name: Service
  /** Types only; undefined at run time. */
  readonly types?: { readonly input: Input }
}

interface CheckInput<Input, Parsed> {
  /** Any Standard Schema for the input of the transaction. What does not fit decides nothing. */
  readonly input?: StandardSchemaV1<Input, Parsed>
}

/** The barrier knows: no code is needed. */
export interface PoolCheck<Input, Parsed> extends CheckInput<Input, Parsed> {
  /**
   * The handle that the service gives to `branch.transact` in its local transactions; with several databases, which one it is for this
   * input. A check in the wrong one would roll a committed message back.
   */
  readonly pool: object | ((input: Parsed, branch: BranchFacts) => object | Promise<object>)
  readonly check?: never
}

export interface CustomCheck<Input, Parsed> extends CheckInput<Input, Parsed> {
  /**
   * Decides from durable state. Answer `rollback` only when the local transaction can never commit any more, and `askAgain()` while
   * that is open. Anything else decides nothing.
   */
  readonly check: (input: Parsed, branch: BranchFacts) => Decision | Promise<Decision>
  readonly pool?: never
}

export type CheckBackOptions<Input, Parsed> = PoolCheck<Input, Parsed> | CustomCheck<Input, Parsed>

/**
 * Declares how a coordinator that heard nothing of a message's local transaction finds out whether it was committed.
 *
 * With a `pool`, the check looks for the barrier row of the local transaction, and plants its tombstone where there is none.
 * **Guarantees** then that the answer is final: after `rollback` a late local transaction is refused. While the local transaction is
 * open the check waits two seconds and then asks to come again.
 * **Does not guarantee** anything on a replica: it must run on the primary, since a replica may not show a commit that has happened.
 * Nor for a transaction older than the barrier's memory, about which it says nothing. A `check` of your own has to keep all this itself.
 * Fails with `LOCKSTEP_CONFIGURATION` for a name that no service has.
 *
 * @example
 * export const ordersCheck = checkBack('orders', { pool })
 */
export function checkBack<const Service extends string, Input = Json, Parsed = Json>(
  service: Service,
  options: CheckBackOptions<Input, Parsed>,
): CheckBack<Input, Service> {
  if (!isServiceName(service)) throw noService(service)
  if ((options.pool === undefined) === (options.check === undefined)) throw noWayToCheck(service)
  return {
    name: service,
    kind: 'check-back',
    // A check of its own need not know of the barrier at all.
    barrier: options.check === undefined,
    operations: ['check'],
    async run(operation, input, call, surroundings) {
      if (operation !== 'check') return undecided(`The check-back of ${service} answers check, not ${operation}.`)
      // Under any other branch there is no local transaction, and "not found" would roll a committed message back.
      if (call.branch !== localBranch)
        return undecided(`A check is about the branch ${localBranch}, not ${call.branch}.`)
      const branch = new OpenBranch(operation, input, call, surroundings)
      return answerCheck({ name: service, branch, call, surroundings }, () =>
        decide(options as CheckBackOptions<unknown, unknown>, branch, surroundings),
      )
    },
  }
}

/** Only a decision is an answer: whatever else happens leaves the message as it is. */
export async function answerCheck(
  asked: {
    readonly name: string
    readonly branch: OpenBranch
    readonly call: ParticipantCall
    readonly surroundings: ParticipantSurroundings
  },
  decision: () => Promise<unknown>,
): Promise<Outcome> {
  try {
    const decided = await decision()
    if (decided === 'commit' || decided === 'rollback') return { kind: 'done', output: { decision: decided } }
    throw noDecision(asked.name, decided)
  } catch (error) {
    const outcome = outcomeOf(error, asked)
    return outcome.kind === 'refused' ? undecided(`The check was refused: ${JSON.stringify(outcome.reason)}`) : outcome
  }
}

/** Asks the barrier in the database behind `handle`, and plants the tombstone where there is no local transaction. */
export async function checkOn(handle: object, branch: OpenBranch): Promise<unknown> {
  // The barrier answers a check by itself.
  const answer = await branch.transact<object, Json>(handle, () => null)
  return (answer as { readonly decision?: unknown } | null)?.decision
}

async function decide(
  options: CheckBackOptions<unknown, unknown>,
  branch: OpenBranch,
  surroundings: ParticipantSurroundings,
): Promise<unknown> {
  const input = async (): Promise<unknown> =>
    options.input === undefined ? branch.input : validate(options.input, branch.input)
  if (options.check !== undefined) return options.check(await input(), factsOf(branch))
  const { pool } = options
  // There are drivers whose handle is a function itself.
  const isHandle = typeof pool !== 'function' || surroundings.databases.some((database) => database.recognises(pool))
  return checkOn(isHandle ? pool : await pool(await input(), factsOf(branch)), branch)
}

/** Without `transact`, which would ask the barrier about the check itself. */
function factsOf({
  store,
  transaction,
  name,
  operation,
  attempt,
  begunAt,
  traceparent,
  signal,
}: BranchFacts): BranchFacts {
  const facts = { store, transaction, name, operation, attempt, begunAt, traceparent }
  return signal === undefined ? facts : { ...facts, signal }
}

function undecided(error: string): Outcome {
  return { kind: 'unknown', error }
}

function noDecision(service: string, answer: unknown): LockstepError {
  const shown = typeof answer === 'string' ? `"${answer.slice(0, 40)}"` : typeof answer
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The check-back of ${service} answered ${shown}, and neither "commit" nor "rollback".`,
    outcome: 'unknown',
    next: 'Answer one of the two, or call askAgain() while it is open.',
  })
}

function noService(service: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message:
      `"${service.slice(0, 200)}" is no service name: it must be 1 to 64 characters of A-Z a-z 0-9 _ ~ -, not starting ` +
      'with "_".',
    next: "Write it like checkBack('orders', …).",
  })
}

function noWayToCheck(service: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The check-back of ${service} must have either a pool or a check.`,
    next: 'Give it the pool that holds the barrier table, or a check of your own.',
  })
}
