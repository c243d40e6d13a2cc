/**
 * `npm test`: the steps of tools/test/steps.ts, then a summary of all of them.
 * `npm test -- path …` runs vitest only, with these arguments.
 *
 *   LOCKSTEP_TEST_REQUIRE=all   whatever would be skipped is a failure (CI)
 *   LOCKSTEP_TEST_INSTALL=0     installs no Debian package
 *   LOCKSTEP_TEST_…_URL         a running service to use instead of a private one
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { requirePinnedNode } from './pinned-node.ts'
import { root, vitestCommand } from './programs.ts'
import { endChildrenOnSignal, type RunResult, runProgram } from './run-program.ts'
import { installServicePackages } from './services/install-packages.ts'
import { reportFile, type VitestReport } from './test/report.ts'
import { isMissing, type Step, steps, vitestStep } from './test/steps.ts'
import * as summary from './test/summary.ts'

requirePinnedNode()

const requireAll = process.env['LOCKSTEP_TEST_REQUIRE'] === 'all'
const vitestArgs = process.argv.slice(2)
if (vitestArgs.length > 0) await runVitestOnly()
else await runSteps()

/** vitest keeps the terminal, so that `npm test -- --watch` and its keys work. */
async function runVitestOnly(): Promise<void> {
  const { spawn } = await import('node:child_process')
  const { file, args } = vitestCommand(vitestArgs)
  const child = spawn(file, args, { cwd: root, stdio: 'inherit' })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

async function runSteps(): Promise<void> {
  endChildrenOnSignal()
  await prepareServices()
  rmSync(join(root, reportFile), { force: true })
  const results: summary.StepSummary[] = []
  for (const [index, step] of steps.entries()) {
    console.log(`\nlockstep: step ${index + 1} of ${steps.length}, ${step.name} (limit ${step.limitMs / 60_000} min)`)
    results.push(await runStep(step))
  }
  printSummary(results)
}

async function prepareServices(): Promise<void> {
  if (process.env['LOCKSTEP_TEST_INSTALL'] === '0') return
  const result = await installServicePackages()
  if (result.status !== 'not-installed') return
  console.log(`lockstep: without ${result.packages.join(', ')} (${result.reason}); tests that need it are skipped`)
}

async function runStep(step: Step): Promise<summary.StepSummary> {
  if (isMissing(step)) {
    const missing = { passed: 0, failed: 0, skipped: 1 }
    const counts = requireAll ? summary.withoutSkips(missing) : missing
    console.log(`lockstep: ${step.file} does not exist`)
    return { name: step.name, status: 'missing', durationMs: 0, counts, reason: `no file ${step.file}` }
  }
  const result = await runProgram(step.command, {
    output: 'show',
    limitMs: step.limitMs,
    line: summary.markStepLine,
    env: colors(),
  })
  const found = step === vitestStep ? countVitest(result) : summary.countProgram(result.output, result.code)
  const counts = requireAll ? summary.withoutSkips(found) : found
  const status = counts.failed === 0 ? 'passed' : 'failed'
  const reason = whyFailed(step, result, found)
  return { name: step.name, status, durationMs: result.durationMs, counts, ...(reason ? { reason } : {}) }
}

/** Steps write into a pipe; whether colours make sense is up to where the pipe ends. */
function colors(): Record<string, string> {
  return process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }
}

function countVitest(result: RunResult): summary.Counts {
  return summary.countVitest(readReport(), result.code)
}

function whyFailed(step: Step, result: RunResult, found: summary.Counts): string | undefined {
  if (result.overran) return `ended: it ran longer than its limit of ${step.limitMs / 60_000} min`
  if (found.failed > 0) return `exit code ${result.code}`
  if (requireAll && found.skipped > 0) return `${found.skipped} skipped, and LOCKSTEP_TEST_REQUIRE=all allows none`
  return undefined
}

function readReport(): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(join(root, reportFile), 'utf8')) as VitestReport
  } catch {
    return undefined
  }
}

function printSummary(results: readonly summary.StepSummary[]): void {
  const files = readReport()?.files ?? []
  const skipped = summary.skippedLines(files)
  console.log('\nSlowest files')
  console.log(summary.slowestLines(files).join('\n'))
  if (skipped.length > 0) console.log(`\nSkipped\n${skipped.join('\n')}`)
  console.log(`\nSteps\n${summary.stepLines(results).join('\n')}\n`)
  console.log(summary.verdictLine(summary.total(results.map((result) => result.counts))))
  process.exitCode = results.some((result) => result.counts.failed > 0) ? 1 : 0
}
