import type { Json, Pattern } from '../ports/index.ts'
import type { BeginBody, Coordination, TransactionBody } from '../protocol/index.ts'

/** What a pattern's builder makes of an input: the body of a begin without its id. */
export interface Runnable<Input, Output> {
  body(input: Input): { readonly pattern: Pattern; readonly [key: string]: unknown }
  /** Never set; carries the type of the output. */
  readonly outputType?: Output
}

/** What every transaction takes when it begins. */
export interface BeginOptions {
  /** The same id again is the same transaction: repeat a call that failed with `unknown`, with the same id. */
  readonly id: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface RunOptions extends BeginOptions {
  /** How long to wait for the end, milliseconds or `'10s'`; 60 s at most and by default. */
  readonly wait?: BeginBody['wait']
  readonly deadline?: BeginBody['wait']
}

export type RunOutcome<Output> =
  /** `incomplete`: an operator has skipped a step, and its output is missing. */
  | { readonly status: 'committed'; readonly output: Output; readonly incomplete: boolean }
  | { readonly status: 'rolled-back'; readonly reason: TransactionBody['reason']; readonly incomplete: boolean }
  | { readonly status: 'held'; readonly reason: string }
  /** The wait ended first. The transaction goes on; `get` tells how it ends. */
  | { readonly status: 'unfinished' }

/** Begins what a builder describes and waits for its end. */
export async function run<Input, Output>(
  coordination: Coordination,
  { runnable, input }: { readonly runnable: Runnable<Input, Output>; readonly input: Input },
  { id, wait = 60_000, deadline, labels }: RunOptions,
): Promise<RunOutcome<Output>> {
  const body = { ...runnable.body(input), ...given({ deadline, labels }), id, wait } as BeginBody
  const { transaction } = await coordination.begin(body)
  return outcomeOf<Output>(transaction)
}

/** Only what was given: a key that is there with `undefined` is no JSON. */
export function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, Json>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Record<string, Json>
}

function outcomeOf<Output>({ status, output, reason, incomplete, held }: TransactionBody): RunOutcome<Output> {
  if (status === 'committed') return { status, output: output as Output, incomplete }
  if (status === 'rolled-back') return { status, reason, incomplete }
  return held === null ? { status: 'unfinished' } : { status: 'held', reason: held.reason }
}
