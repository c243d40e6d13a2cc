/**
 * `npm run sim`: searches seeds for a broken law.
 *
 *   npm run sim -- --seeds 500                     500 seeds per workload
 *   npm run sim -- --minutes 60                    as many as fit
 *   npm run sim -- --seed 0x5eed --workload bank   one seed, with its fault rates and its whole log
 */
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { armMutant } from 'lockstep/testing'
import { numberOption, oneOf, readOptions } from '../tools/program-options.ts'
import { runSeed, type SeedResult } from './run-seed.ts'
import regressionSeeds from './seeds/regression.json' with { type: 'json' }
import type { Workload } from './workload.ts'
import { workloadNamed, workloads } from './workloads.ts'

const values = readOptions('npm run sim', {
  seeds: { type: 'string' },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  from: { type: 'string' },
  workload: { type: 'string' },
  mutant: { type: 'string' },
  smoke: { type: 'boolean', default: false },
})

interface Tally {
  seeds: number
  transactions: number
  steps: number
  virtualMs: number
  takeovers: number
}

/** Runs a seed twice: equal logs, or something besides the seed has a say. */
async function runTwice(seed: number, workload: Workload): Promise<SeedResult> {
  const first = await runSeed(seed, workload, false)
  const second = await runSeed(seed, workload, false)
  if (first.logHash === second.logHash) return first
  return { ...first, violation: `not deterministic: ${first.logHash}, then ${second.logHash}` }
}

async function report(result: SeedResult): Promise<void> {
  const again = await runSeed(result.seed, workloadNamed(result.workload), true)
  const file = join(tmpdir(), `lockstep-sim-${result.workload}-${result.seed}.log`)
  writeFileSync(file, again.log.join('\n'))
  console.log(`\nFAILED ${result.workload} seed ${result.seed}: ${result.violation}`)
  console.log(`  log: ${file}`)
  console.log(`  again: npm run sim -- --workload ${result.workload} --seed ${result.seed}`)
}

async function search(seedsEach: number, untilMs: number, chosen: readonly Workload[]): Promise<boolean> {
  const tally: Tally = { seeds: 0, transactions: 0, steps: 0, virtualMs: 0, takeovers: 0 }
  let lastShownMs = Date.now()
  const regressions = regressionSeeds.filter(({ workload }) => chosen.some((one) => one.name === workload))
  const planned = [
    ...regressions.map(({ seed, workload }) => ({ seed, workload: workloadNamed(workload) })),
    ...freshSeeds(seedsEach, chosen),
  ]
  for (const { seed, workload } of planned) {
    if (Date.now() > untilMs) break
    const result = await runTwice(seed, workload)
    tally.seeds += 1
    tally.transactions += result.transactions
    tally.steps += result.steps
    tally.virtualMs += result.virtualMs
    tally.takeovers += result.takeovers
    if (result.violation !== null) {
      await report(result)
      return false
    }
    if (Date.now() - lastShownMs > 5_000) {
      lastShownMs = Date.now()
      console.log(
        `  ${tally.seeds} seeds, each run twice; ${tally.transactions} transactions, ${tally.takeovers} takeovers`,
      )
    }
  }
  console.log(
    `simulator: ${tally.seeds} seeds held, each run twice with equal logs; ${tally.transactions} transactions, ${tally.takeovers} takeovers, ` +
      `${tally.steps} steps, ${Math.round(tally.virtualMs / 3_600_000)} virtual hours`,
  )
  console.log(`${tally.seeds} passed, 0 failed`)
  return tally.seeds > 0
}

/** Every workload gets its turn before the next seed. */
function* freshSeeds(seedsEach: number, chosen: readonly Workload[]) {
  for (let number = 0; number < seedsEach; number++)
    for (const workload of chosen) yield { seed: baseSeed + number, workload }
}

async function showOne(seed: number, workload: Workload): Promise<boolean> {
  const result = await runSeed(seed, workload, true)
  for (const line of result.log) console.log(line)
  console.log(result.violation === null ? `seed ${seed} held` : `seed ${seed} FAILED: ${result.violation}`)
  return result.violation === null
}

const number = (name: string, text: string, min: number, max: number) =>
  numberOption('npm run sim', name, text, min, max)
const unlimited = 1_000_000_000
const baseSeed = number('from', values.from ?? '1', 0, unlimited)
const known = workloads.map((one) => one.name)
const chosen =
  values.workload === undefined ? workloads : [workloadNamed(oneOf('npm run sim', 'workload', values.workload, known))]
armMutant(values.mutant ?? null)
const [only] = chosen
const minutes = number('minutes', values.minutes ?? (values.smoke ? '1.5' : '1440'), 0.01, 100_000)
const seedsUnlessGiven = values.smoke ? '100' : values.minutes === undefined ? '200' : '1000000'
const seedsEach = number('seeds', values.seeds ?? seedsUnlessGiven, 1, unlimited)
const held =
  values.seed !== undefined && only !== undefined
    ? await showOne(number('seed', values.seed, 0, 2 ** 32), only)
    : await search(seedsEach, Date.now() + minutes * 60_000, chosen)
process.exitCode = held ? 0 : 1
