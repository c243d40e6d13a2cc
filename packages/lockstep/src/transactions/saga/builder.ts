import { LockstepError } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'

/** What the builder must know of a participant: its name and its types. */
export interface StepParticipant<Input, Output> {
  readonly name: string
  readonly kind?: 'action'
  readonly types?: { readonly input: Input; readonly output: Output }
}

/** Durations as the wire takes them: milliseconds, or `'3s'`. */
type StepDuration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

export interface StepOptions {
  /** How long one attempt may take; 10 s unless given. */
  readonly timeout?: StepDuration
  /** Opt-in: after so many failed attempts the saga is held for a person. Without it, it is tried until it answers. */
  readonly retry?: { readonly limit: number }
}

/**
 * A value of an earlier step's output. It looks like the value to the compiler; at run time it is a reference that the coordinator
 * fills in when that output is durable. It can be passed on, not computed with.
 */
type Mapper<Input, Outputs, StepInput> = (input: Input, outputs: Outputs) => StepInput

export interface RunnableSaga<Input, Output> {
  readonly name: string
  body(input: Input): { readonly pattern: 'saga'; readonly [key: string]: unknown }
  readonly outputType?: Output
}

export interface SagaBuilder<Input, Outputs extends object> extends RunnableSaga<Input, Outputs> {
  /** A step whose input is made from the saga's input and from outputs of earlier steps. */
  step<const Name extends string, StepInput, StepOutput, Given>(
    name: Name,
    participant: StepParticipant<StepInput, StepOutput>,
    options: StepOptions & { readonly input: Mapper<Given, Outputs, NoInfer<StepInput>> },
  ): SagaBuilder<Input & Given, Outputs & { readonly [K in Name]: StepOutput }>
  /** A step that gets the saga's own input. */
  step<const Name extends string, StepInput, StepOutput>(
    name: Name,
    participant: StepParticipant<StepInput, StepOutput>,
    options?: StepOptions,
  ): SagaBuilder<Input & StepInput, Outputs & { readonly [K in Name]: StepOutput }>
}

interface Step {
  readonly name: string
  readonly participant: string
  readonly options: StepOptions & { readonly input?: Mapper<never, never, unknown> }
}

/**
 * Describes a saga: steps that run in order, and are compensated in reverse order when one is refused.
 *
 * @example
 * const transfer = saga('transfer')
 *   .step('debit', debit)
 *   .step('credit', credit, { input: (input: Transfer, outputs) => ({ ...input, receipt: outputs.debit.receipt }) })
 * await coordinator.run(transfer, { from, to, amount }, { id: 'order-42' })
 */
export function saga(name: string): SagaBuilder<unknown, object> {
  return builder(name, [])
}

function builder<Input, Outputs extends object>(name: string, steps: readonly Step[]): SagaBuilder<Input, Outputs> {
  return {
    name,
    step(stepName: string, participant: StepParticipant<unknown, unknown>, options: Step['options'] = {}) {
      return builder<never, never>(name, [...steps, { name: stepName, participant: participant.name, options }])
    },
    body: (input) => ({
      pattern: 'saga',
      input: input as Json,
      steps: steps.map((step, position) => stepBody(step, input, steps.slice(0, position))),
    }),
  } as SagaBuilder<Input, Outputs>
}

function stepBody({ name, participant, options }: Step, input: unknown, earlier: readonly Step[]): Json {
  const { timeout, retry, input: mapper } = options
  const mapped =
    mapper === undefined ? undefined : (mapper as Mapper<unknown, unknown, unknown>)(input, outputsOf(earlier))
  return {
    name,
    participant,
    ...(mapped === undefined ? {} : { input: withReferences(mapped) }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(retry === undefined ? {} : { retry: { limit: retry.limit } }),
  }
}

function outputsOf(steps: readonly Step[]): Record<string, unknown> {
  return Object.fromEntries(steps.map((step) => [step.name, reference(step.name, '')]))
}

const place = Symbol('lockstep.output')

interface Place {
  readonly [place]: { readonly $output: string; readonly path: string }
}

/**
 * Each property read goes one token deeper into the pointer. Anything that needs the value itself fails loudly; the target is a
 * function so that calling a method of the value does as well.
 */
function reference(step: string, path: string): unknown {
  const compute = (): never => {
    throw notYet(step, path)
  }
  return new Proxy(() => {}, {
    get(_, key) {
      if (key === place) return { $output: step, path }
      if (typeof key === 'symbol' || key === 'toJSON') return compute()
      return reference(step, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    },
    has: (_, key) => key === place || compute(),
    apply: compute,
    ownKeys: compute,
    set: compute,
  })
}

function notYet(step: string, path: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: `The output of ${step}${path} is not known when the saga begins: pass it on as it is, do not compute with it.`,
    next: 'Compute inside the participant that receives it.',
  })
}

function withReferences(value: unknown): Json {
  if (typeof value === 'function' && place in value) return (value as unknown as Place)[place]
  if (Array.isArray(value)) return value.map(withReferences)
  // A date or another instance stays what it is: the begin refuses it, where a copy would have lost it in silence.
  if (!isPlainObject(value)) return value as Json
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withReferences(inner)]))
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
