/** What several runs of one measurement say together. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right)
  return { median: rounded(middle(sorted)), min: rounded(sorted[0] ?? 0), max: rounded(sorted.at(-1) ?? 0) }
}

export function median(values: readonly number[]): number {
  return middle([...values].sort((left, right) => left - right))
}

/** The value below which `share` of them lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Three significant digits: what comes after them is noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

function middle(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2
}
