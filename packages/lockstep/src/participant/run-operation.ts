import type { StandardSchemaV1 } from '@standard-schema/spec'
import { LockstepError } from '../errors.ts'
import type { Json, Operation, Outcome, ParticipantCall, ParticipantSurroundings } from '../ports/index.ts'
import { Verdict, verdictOf } from '../ports/index.ts'
import { canonicalJson } from '../protocol/index.ts'
import type { OpenBranch } from './open-branch.ts'
import { outcomeOf } from './outcome-of.ts'
import { validate } from './validation.ts'

export type BusinessFunction = (input: never, branch: OpenBranch) => unknown

/** What a participant was declared with, whatever its kind. */
export interface Declared {
  readonly name: string
  readonly barrier: boolean
  readonly input: StandardSchemaV1
  readonly output: StandardSchemaV1 | undefined
  readonly cancelOnEmpty: boolean
  /** The operation that comes first: its input is refused when it does not fit, and its output is checked. */
  readonly forward: Operation
}

/** Runs one operation. Whatever the user's code does ends as an outcome. */
export async function runOperation(
  declared: Declared,
  business: BusinessFunction,
  branch: OpenBranch,
  context: { readonly call: ParticipantCall; readonly surroundings: ParticipantSurroundings },
): Promise<Outcome> {
  const { name, barrier, input, output } = declared
  const isForward = branch.operation === declared.forward
  if (branch.operation === 'cancel' && declared.cancelOnEmpty) branch.runThoughEmpty()
  try {
    const parsed = isForward ? await validate(input, branch.input) : await admit(declared, branch)
    const returned = await runBusiness(business, parsed, branch)
    if (barrier && branch.state === 'unused') throw barrierNotUsed(name, branch.operation)
    const checked = isForward && output !== undefined ? await checkOutput(output, returned, branch) : returned
    return { kind: 'done', output: asJson(checked) }
  } catch (error) {
    return outcomeOf(error, { name, branch, ...context })
  }
}

/**
 * The input of a later operation. A forward operation whose input was refused never ran, and its reversal must be able to say so; one
 * that ran under an earlier schema must be reversed. The barrier tells which: with an input that no longer fits, it lets everything
 * through but the business.
 */
async function admit({ input, barrier, forward }: Declared, branch: OpenBranch): Promise<unknown> {
  try {
    return await validate(input, branch.input)
  } catch (error) {
    if (verdictOf(error)?.kind !== 'refused') throw error
    const why = `The input does not fit the schema, and the ${forward} ran under another one: mend the schema.`
    // Without a barrier nobody can tell whether it is confirmed already. A reversal that is idempotent may try.
    if (!barrier && branch.operation === 'confirm') throw new Verdict({ kind: 'unknown', error: why })
    branch.shutOutBusiness(why)
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

async function checkOutput(schema: StandardSchemaV1, returned: unknown, branch: OpenBranch): Promise<unknown> {
  const result = await schema['~standard'].validate(returned)
  if (result.issues === undefined) return result.value
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The output does not fit its schema: ${result.issues
      .map((issue) => issue.message)
      .join('; ')
      .slice(0, 500)}`,
    outcome: 'unknown',
    next: `Mend the ${branch.operation} or its output schema.`,
  })
}

/** What JSON would silently change or drop is an error here, not a surprise for the next step. */
function asJson(value: unknown): Json {
  return value === undefined || value === null ? null : (JSON.parse(canonicalJson(value)) as Json)
}

function barrierNotUsed(name: string, operation: Operation): LockstepError {
  return new LockstepError('LOCKSTEP_BARRIER_NOT_USED', {
    message: `${name} ${operation} returned without branch.transact, so a repeat would do its work again.`,
  })
}
