/** What the reporter writes for `npm test`: one entry per test file. */
export interface FileReport {
  readonly file: string
  readonly durationMs: number
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly SkippedTest[]
}

export interface SkippedTest {
  readonly test: string
  readonly reason: string
}

export interface VitestReport {
  readonly files: readonly FileReport[]
  /** Errors outside any test, such as an unhandled rejection: vitest fails because of them. */
  readonly unhandled: number
}

export const reportFile = '.cache/vitest-report.json'
