/**
 * What happened, as those who did it saw it. Times are of one clock that all of them share, such as the monotonic clock of one machine.
 */
export interface Operation<Kind extends string = string> {
  readonly process: string
  readonly kind: Kind
  /** What it concerns; operations of different keys know nothing of each other. */
  readonly key: string
  readonly startMs: number
  /** Null when it has never ended: the process died, or is still waiting. It may have its effect at any later time. */
  readonly endMs: number | null
  /** `failed` is a certain refusal, which has had no effect. `unknown` got no answer: it may have had its effect, or have it later. */
  readonly outcome: 'ok' | 'failed' | 'unknown'
  /** The fencing token of a grant, the value that was read or written. */
  readonly value?: bigint | number | string | null
}

/** `unknown` when the history has exercised nothing: it proves nothing, and a test must treat it as a failure. */
export type Verdict =
  | { readonly valid: true; readonly checked: number }
  | { readonly valid: false; readonly why: string; readonly operations: readonly Operation[] }
  | { readonly valid: 'unknown'; readonly why: string }

/** The worst of several verdicts. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  const invalid = verdicts.find(({ valid }) => valid === false)
  if (invalid !== undefined) return invalid
  const known = verdicts.flatMap((verdict) => (verdict.valid === true ? [verdict.checked] : []))
  if (known.length > 0 && known.length === verdicts.length)
    return { valid: true, checked: known.reduce((sum, one) => sum + one, 0) }
  return verdicts.find(({ valid }) => valid === 'unknown') ?? { valid: 'unknown', why: 'there is no history' }
}
