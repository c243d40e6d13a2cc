import { LockstepError } from '../errors.ts'

/** Milliseconds, or a number with its unit: `'250ms'`, `'2s'`, `'10m'`, `'1h'`, `'3d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

export interface DurationBounds {
  readonly minMs?: number
  readonly maxMs?: number
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const yearMs = 366 * 86_400_000

/**
 * A setting in whole milliseconds, or `LOCKSTEP_CONFIGURATION`. `name` is the option and opens the error's message.
 * Bare texts such as `'10'` are refused: nobody can tell whether they are seconds.
 */
export function durationMs(value: unknown, name: string, bounds: DurationBounds = {}): number {
  const { minMs = 0, maxMs = yearMs } = bounds
  const ms = millisecondsOf(value)
  if (ms >= minMs && ms <= maxMs) return ms
  const problem = Number.isNaN(ms) ? wanted : `must be from ${minMs} to ${maxMs} ms`
  throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: `${name} ${problem}, but is ${shown(value)}.` })
}

/** A duration from outside in whole milliseconds, 0 to 366 days, or `LOCKSTEP_INVALID_REQUEST`. */
export function parseDurationMs(value: unknown): number {
  const ms = millisecondsOf(value)
  if (ms >= 0 && ms <= yearMs) return ms
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: Number.isNaN(ms) ? wanted : 'must be from 0 to 366 days',
  })
}

const wanted = "must be whole milliseconds or a text such as '250ms', '2s', '10m', '1h' or '3d'"

/** NaN for what is no duration at all. */
function millisecondsOf(value: unknown): number {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number.NaN
  const match = typeof value === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(value) : null
  const factor = unitMs[match?.[2] ?? '']
  if (factor === undefined) return Number.NaN
  const ms = Number(match?.[1]) * factor
  // '1.5h' is exact, '0.3ms' is not: rounding it to nothing would be a surprise.
  return Math.abs(ms - Math.round(ms)) < 1e-6 ? Math.round(ms) : Number.NaN
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
}
