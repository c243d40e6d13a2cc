import { LockstepError } from '../errors.ts'
import type { Operation } from '../ports/index.ts'
import { checkParticipantName } from '../protocol/index.ts'
import type { Sent } from './json-output.ts'
import type { NoResult, OptionsByResult, Participant, ParticipantKind, ParticipantOf, ResultOf } from './kinds.ts'
import { OpenBranch } from './open-branch.ts'
import type { BusinessFunction, Declared } from './run-operation.ts'
import { runOperation } from './run-operation.ts'

/**
 * Declares what a service does for a transaction, callable in process and over HTTP. Give it `action` and, to undo it, `compensate` for
 * a saga; `try`, `confirm` and `cancel` for a TCC; `deliver` for a reliable message.
 *
 * **Guarantees** with the barrier (default): each operation takes effect at most once, a compensation or cancel of something that
 * never ran does nothing, and an action or try after that is refused. Of confirm and cancel only one ever happens.
 * **Does not guarantee** anything about work outside `branch.transact`.
 * Fails with `LOCKSTEP_CONFIGURATION` for a bad name, or operations that do not make one kind.
 *
 * @example
 * export const debit = participant('bank-a.debit', {
 *   input: Transfer,
 *   action: (input, branch) => branch.transact(pool, (tx) => withdraw(tx, input)),
 *   compensate: (input, branch) => branch.transact(pool, (tx) => putBack(tx, input)),
 * })
 */
export function participant<
  const Name extends string,
  Input,
  Parsed,
  Acted = NoResult,
  Tried = NoResult,
  Delivered = NoResult,
  Shown = Sent<ResultOf<Acted, Tried, Delivered>>,
>(
  name: Name,
  options: OptionsByResult<Input, Parsed, Acted, Tried, Delivered, Shown>,
): ParticipantOf<Acted, Tried, Input, Shown, Name> {
  checkParticipantName(name)
  const given = options as unknown as Given
  return define(name, kindOf(name, given), given) as ParticipantOf<Acted, Tried, Input, Shown, Name>
}

/** The options without their types. */
type Given = Pick<Declared, 'input'> & { readonly [key: string]: unknown }

const operationsOf: Readonly<Record<ParticipantKind, readonly Operation[]>> = {
  // A step without a compensation still answers one: a rollback leaves it as it is.
  action: ['action', 'compensate'],
  tcc: ['try', 'confirm', 'cancel'],
  deliver: ['deliver'],
}

function define(name: string, kind: ParticipantKind, options: Given): Participant {
  const functions = new Map<Operation, BusinessFunction>()
  for (const operation of operationsOf[kind]) {
    const business = options[operation]
    if (typeof business === 'function') functions.set(operation, business as BusinessFunction)
  }
  const [forward = 'action'] = operationsOf[kind]
  const declared: Declared = {
    name,
    barrier: options['barrier'] !== false,
    input: options.input,
    output: options['output'] as Declared['output'],
    cancelOnEmpty: options['cancelOnEmpty'] === true,
    forward,
  }
  return {
    name,
    kind,
    barrier: declared.barrier,
    operations: operationsOf[kind],
    async run(operation, input, call, surroundings) {
      const business = functions.get(operation)
      if (business === undefined && kind === 'action' && operation === 'compensate') {
        return { kind: 'done', output: null }
      }
      if (business === undefined) return { kind: 'unknown', error: `${name} has no operation ${operation}.` }
      const branch = new OpenBranch(operation, input, call, surroundings)
      return runOperation(declared, business, branch, { call, surroundings })
    },
  }
}

/** The compiler says the same of TypeScript; a participant in plain JavaScript must not turn out to lack its cancel in a rollback. */
function kindOf(name: string, options: Given): ParticipantKind {
  const given = (['action', 'try', 'deliver'] as const).filter((operation) => options[operation] !== undefined)
  const [forward] = given
  const kind = forward === 'try' ? 'tcc' : forward
  const missing = kind === 'tcc' && operationsOf.tcc.some((operation) => typeof options[operation] !== 'function')
  if (kind !== undefined && given.length === 1 && !missing) return kind
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The participant ${name} must have either action, or try, confirm and cancel, or deliver.`,
    next: 'Give it the operations of one kind; work for another kind of transaction is another participant.',
  })
}
