/** What a workload is: something that a seed can be run through. */
export interface Workload {
  readonly name: string
  /** What it is out to break. */
  readonly aim: string
  readonly run: (seed: number, note: (line: string) => void) => Promise<SeedOutcome>
}

export interface SeedOutcome {
  /** Null when every invariant held. */
  readonly violation: string | null
  readonly steps: number
  readonly virtualMs: number
  readonly transactions: number
  readonly takeovers: number
}
