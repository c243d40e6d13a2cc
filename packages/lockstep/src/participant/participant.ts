import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isLockstepError, LockstepError, messageOf } from '../errors.ts'
import type {
  Json,
  Operation,
  Outcome,
  ParticipantCall,
  ParticipantDefinition,
  ParticipantSurroundings,
} from '../ports/index.ts'
import { verdictOf } from '../ports/index.ts'
import { canonicalJson, checkParticipantName } from '../protocol/index.ts'
import type { Branch, LaterBranch } from './branch.ts'
import { OpenBranch } from './branch.ts'
import type { JsonOutput, Sent } from './json-output.ts'
import { validate } from './validation.ts'

/** A participant with what callers must know of it: the input they send, the output they get. */
export interface Participant<Input = unknown, Output = unknown, Name extends string = string>
  extends ParticipantDefinition {
  readonly name: Name
  /** Types only; undefined at run time. */
  readonly types?: { readonly input: Input; readonly output: Output }
}

export interface ParticipantOptions<Input, Parsed, Result, Shown> {
  /** Any Standard Schema: zod, valibot, arktype. Input that fails it is refused before the business. */
  readonly input: StandardSchemaV1<Input, Parsed>
  readonly output?: StandardSchemaV1<Result, Shown>
  /** False for work that is idempotent by itself and does not use `branch.transact`. */
  readonly barrier?: boolean
  /** The work. Return what `branch.transact` gives. */
  readonly action: (
    input: Parsed,
    branch: Branch,
  ) => Promise<Result & JsonOutput<Result>> | (Result & JsonOutput<Result>)
  /** Undoes the work. Called with the action's input, also when the action may never have run. */
  readonly compensate?: (input: Parsed, branch: LaterBranch<Sent<Result>>) => Promise<unknown> | unknown
}

type BusinessFunction = (input: never, branch: OpenBranch) => unknown

/**
 * Declares what a service does for a transaction, callable in process and over HTTP.
 *
 * **Guarantees** with the barrier (default): each operation takes effect at most once, a compensation of something that
 * never ran does nothing, and an action after its compensation is refused.
 * **Does not guarantee** anything about work outside `branch.transact`.
 * Fails with `LOCKSTEP_CONFIGURATION` for a bad name.
 *
 * @example
 * export const debit = participant('bank-a.debit', {
 *   input: Transfer,
 *   action: (input, branch) => branch.transact(pool, (tx) => withdraw(tx, input)),
 *   compensate: (input, branch) => branch.transact(pool, (tx) => putBack(tx, input)),
 * })
 */
export function participant<const Name extends string, Input, Parsed, Result, Shown = Sent<Result>>(
  name: Name,
  options: ParticipantOptions<Input, Parsed, Result, Shown>,
): Participant<Input, Shown, Name> {
  checkParticipantName(name)
  const { action, compensate, barrier = true } = options
  const functions = new Map<Operation, BusinessFunction>([['action', action as BusinessFunction]])
  if (compensate !== undefined) functions.set('compensate', compensate as BusinessFunction)
  return {
    name,
    barrier,
    operations: [...new Set<Operation>([...functions.keys(), 'compensate'])],
    async run(operation, input, call, surroundings) {
      const business = functions.get(operation)
      // A step without a compensation is left as it is by a rollback.
      if (business === undefined && operation === 'compensate') return { kind: 'done', output: null }
      if (business === undefined) return { kind: 'unknown', error: `${name} has no operation ${operation}.` }
      const branch = new OpenBranch(operation, input, call, surroundings)
      try {
        const parsed =
          operation === 'action' ? await validate(options.input, input) : await admit(options.input, branch)
        const returned = await runBusiness(business, parsed, branch)
        if (barrier && branch.state === 'unused') throw barrierNotUsed(name, operation)
        const checked =
          operation === 'action' && options.output !== undefined
            ? await checkOutput(options.output, returned)
            : returned
        return { kind: 'done', output: asJson(checked) }
      } catch (error) {
        return outcomeOf(error, name, branch, call, surroundings)
      }
    },
  }
}

/**
 * The input of a reverse operation. An action whose input was refused never ran, and its reversal must be able to say so; one that
 * ran under an earlier schema must be reversed. The barrier tells which: with an input that no longer fits, it lets everything through
 * but the business.
 */
async function admit<Parsed>(schema: StandardSchemaV1<unknown, Parsed>, branch: OpenBranch): Promise<unknown> {
  try {
    return await validate(schema, branch.input)
  } catch (error) {
    if (verdictOf(error)?.kind !== 'refused') throw error
    branch.shutOutBusiness('The input does not fit the schema, and the action ran under another one: mend the schema.')
    return typeof branch.input === 'object' && branch.input !== null ? branch.input : {}
  }
}

async function runBusiness(business: BusinessFunction, input: unknown, branch: OpenBranch): Promise<unknown> {
  try {
    return await business(input as never, branch)
  } finally {
    // What the barrier said stands, even where the user's code caught it and went on.
    await branch.settle()
  }
}

async function checkOutput(schema: StandardSchemaV1, returned: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(returned)
  if (result.issues === undefined) return result.value
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The output does not fit its schema: ${result.issues
      .map((issue) => issue.message)
      .join('; ')
      .slice(0, 500)}`,
    outcome: 'unknown',
    next: 'Mend the action or its output schema.',
  })
}

/** What JSON would silently change or drop is an error here, not a surprise for the next step. */
function asJson(value: unknown): Json {
  return value === undefined || value === null ? null : (JSON.parse(canonicalJson(value)) as Json)
}

function outcomeOf(
  error: unknown,
  name: string,
  branch: OpenBranch,
  call: ParticipantCall,
  surroundings: ParticipantSurroundings,
): Outcome {
  const verdict = verdictOf(error)
  // A refusal promises that nothing happened. After the commit that would be a lie, so it is a failure like any other.
  if (verdict !== null && !(verdict.kind === 'refused' && branch.state === 'committed')) return verdict
  const message = verdict === null ? describe(error) : 'The operation was refused after branch.transact had committed.'
  const fields = { participant: name, operation: branch.operation, transaction: call.transaction, branch: call.branch }
  surroundings.logger.error({ ...fields, attempt: call.attempt, outcome: 'unknown' }, message)
  return { kind: 'unknown', error: message }
}

function describe(error: unknown): string {
  return isLockstepError(error) ? `${error.code}: ${error.message} ${error.next}` : messageOf(error)
}

function barrierNotUsed(name: string, operation: Operation): LockstepError {
  return new LockstepError('LOCKSTEP_BARRIER_NOT_USED', {
    message: `${name} ${operation} returned without branch.transact, so a repeat would do its work again.`,
  })
}
