import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { root } from '../programs.ts'
import { type FileReport, reportFile, type SkippedTest, type VitestReport } from './report.ts'

/** Writes the counts, times and reasons of skips as a file: vitest's own JSON reporter leaves the reasons out. */
export default class CollectReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const report: VitestReport = { files: modules.map(fileReport), unhandled: unhandledErrors.length }
    mkdirSync(dirname(reportFile), { recursive: true })
    writeFileSync(reportFile, JSON.stringify(report))
  }
}

function fileReport(module: TestModule): FileReport {
  const tests = [...module.children.allTests()]
  const failed = tests.filter((test) => test.result().state === 'failed').length
  // A file that cannot be loaded, or whose hook failed, has no failed test, and must not look green.
  const broken = failed === 0 && module.state() === 'failed' ? 1 : 0
  return {
    file: relative(root, module.moduleId),
    durationMs: Math.round(module.diagnostic().duration + module.diagnostic().collectDuration),
    passed: tests.filter((test) => test.result().state === 'passed').length,
    failed: failed + broken,
    skipped: tests.filter((test) => isSkipped(test)).map(skippedTest),
  }
}

function isSkipped(test: TestCase): boolean {
  const { state } = test.result()
  return state === 'skipped' || state === 'pending'
}

function skippedTest(test: TestCase): SkippedTest {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  return { test: test.fullName, reason: note ?? 'no reason given' }
}
