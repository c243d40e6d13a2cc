import type { FileReport, SkippedTest, VitestReport } from './report.ts'

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export interface StepSummary {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'missing'
  readonly durationMs: number
  readonly counts: Counts
  /** Why it failed, when that is not plain from its own output. */
  readonly reason?: string
}

const countsLine = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/

/**
 * A program may end with the line `N passed, N failed[, N skipped]`; the last such line counts. One without it counts
 * as a single test. A program that exits with an error has failed at least once, whatever it printed.
 */
export function countProgram(output: string, code: number): Counts {
  const match = output
    .split('\n')
    .reverse()
    .map((line) => line.trim().match(countsLine))
    .find((found) => found)
  if (!match) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
  const failed = Number(match[2])
  return { passed: Number(match[1]), failed: code === 0 ? failed : Math.max(failed, 1), skipped: Number(match[3] ?? 0) }
}

/** Only the summary of the whole run may print a bare line of counts: whoever reads the last one reads the verdict. */
export function markStepLine(line: string): string {
  return countsLine.test(line.trim()) ? `  this step: ${line.trim()}` : line
}

export function countVitest(report: VitestReport | undefined, code: number): Counts {
  const files = report?.files ?? []
  const failed = sum(files, (file) => file.failed) + (report?.unhandled ?? 0)
  return {
    passed: sum(files, (file) => file.passed),
    failed: code === 0 ? failed : Math.max(failed, 1),
    skipped: sum(files, (file) => file.skipped.length),
  }
}

/** Where everything is required, what was skipped has failed. */
export function withoutSkips({ passed, failed, skipped }: Counts): Counts {
  return { passed, failed: failed + skipped, skipped: 0 }
}

export function total(counts: readonly Counts[]): Counts {
  return {
    passed: sum(counts, (each) => each.passed),
    failed: sum(counts, (each) => each.failed),
    skipped: sum(counts, (each) => each.skipped),
  }
}

export function verdictLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

export function slowestLines(files: readonly FileReport[]): string[] {
  const slowest = [...files].sort((a, b) => b.durationMs - a.durationMs).slice(0, 10)
  return slowest.map((file) => `  ${seconds(file.durationMs)}  ${file.file}`)
}

/** One line for each reason and file: fifty cases that miss the same service are one piece of news. */
export function skippedLines(files: readonly FileReport[]): string[] {
  return files.flatMap((file) =>
    [...byReason(file.skipped)].map(([reason, tests]) => {
      const what = tests.length === 1 ? `"${tests[0]?.test}"` : `${tests.length} tests`
      return `  ${file.file}: ${what}: ${reason}`
    }),
  )
}

export function stepLines(steps: readonly StepSummary[]): string[] {
  return steps.map((step) => {
    const reason = step.reason ? ` (${step.reason})` : ''
    return `  ${seconds(step.durationMs)}  ${step.name}: ${step.status}${reason}`
  })
}

function byReason(skipped: readonly SkippedTest[]): Map<string, SkippedTest[]> {
  return Map.groupBy(skipped, (entry) => entry.reason)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8)
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((before, item) => before + value(item), 0)
}
