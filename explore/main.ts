/**
 * `npm run explore`: every schedule of a small scope. Where the simulator draws long and lucky runs of the whole coordinator, this visits
 * every state that two coordinators, two branches and their initiators can come to, over the real `advance` of each pattern, the real rules of
 * the barrier and the real rule of when a call may leave; and every state of a few contenders for one lock, on RedLock and in the queue of
 * one Redis, over the real scripts. `docs/explorer.md` says what is modelled, and how to read a trace.
 *
 *   npm run explore                               every scenario: two minutes, 750 MB
 *   npm run explore -- --bounds wide              more callers and receivers: 10 to 20 minutes, 3 GB
 *   npm run explore -- --scenario tcc             one scenario
 *   npm run explore -- --mutants                  known bugs, each of which must be caught
 *   npm run explore -- --mutant M02-no-tombstone --scenario tcc      the trace of one
 *
 *   model/       row, copies, owners: what may happen next
 *   scenarios/   what a transaction is about, its participants and initiators, and what must never be
 *   search/      breadth first, over numbers
 *   locks/       RedLock's token rule and the queue with hand-over: scripts, contenders, and a search of their own
 */
import { armMutant } from 'lockstep/testing'
import { numberOption, oneOf, readOptions } from '../tools/program-options.ts'
import { boundNames, bounds, type Exploration, type Explored } from './bounds.ts'
import { type LawMutant, mutants, outOfScope } from './mutants.ts'

const program = 'npm run explore'
const values = readOptions(program, {
  bounds: { type: 'string' },
  scenario: { type: 'string' },
  mutant: { type: 'string' },
  mutants: { type: 'boolean', default: false },
  minutes: { type: 'string' },
  states: { type: 'string' },
  smoke: { type: 'boolean', default: false },
})
const boundName = oneOf(program, 'bounds', values.bounds ?? (values.smoke ? 'smoke' : 'default'), boundNames)
const untilMs = Date.now() + numberOption(program, 'minutes', values.minutes ?? '600', 0.01, 100_000) * 60_000
const statesMax = numberOption(program, 'states', values.states ?? '100000000', 1, 500_000_000)

interface Timed extends Explored {
  readonly seconds: number
  /** Of the whole process, while this search ran. */
  readonly peakMb: number
}

async function timed({ explore }: Exploration): Promise<Timed> {
  const startedMs = Date.now()
  let peakMb = 0
  const isOver = (): boolean => {
    peakMb = Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20)
    return Date.now() > untilMs
  }
  const result = await explore({ statesMax, isOver })
  return { ...result, seconds: (Date.now() - startedMs) / 1_000, peakMb: Math.round(peakMb) }
}

/** True when it was searched to the end, and nothing was found. */
async function report(one: Exploration): Promise<boolean> {
  const result = await timed(one)
  const { states, facts, moves, depth, seconds, peakMb, violation, complete } = result
  const ends = [...result.ends].map(([word, count]) => `${count} ${word}`).join(', ')
  console.log(`${one.name.padEnd(16)} ${one.about}`)
  console.log(
    `${''.padEnd(16)} ${number(states)} states, ${number(moves)} moves, depth ${depth}, ${seconds.toFixed(1)} s, ${peakMb} MB`,
  )
  console.log(`${''.padEnd(16)} ${number(facts.count)} ${facts.of}; ends: ${ends === '' ? 'none' : ends}`)
  if (violation !== null) show(one.name, result)
  else if (!complete) console.log(`${''.padEnd(16)} UNKNOWN: a limit came before the end`)
  return violation === null && complete
}

function number(count: number): string {
  return count.toLocaleString('en-US')
}

function show(name: string, { violation, lines }: Explored): void {
  console.log(`\nVIOLATION in ${name}: ${violation}`)
  for (const line of lines) console.log(line)
  const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`
  console.log(`  again: ${program} -- --bounds ${boundName} --scenario ${name}${mutant}\n`)
}

interface Counts {
  readonly passed: number
  readonly failed: number
}

async function exploreAll(chosen: readonly Exploration[]): Promise<Counts> {
  armMutant(values.mutant ?? null)
  let passed = 0
  for (const one of chosen) if (await report(one)) passed += 1
  console.log(`explorer: ${passed} of ${chosen.length} scenarios hold in every state`)
  return { passed, failed: chosen.length - passed }
}

async function huntAll(): Promise<Counts> {
  let passed = 0
  for (const mutant of mutants) if (await hunt(mutant)) passed += 1
  for (const [name, why] of Object.entries(outOfScope)) console.log(`${name.padEnd(34)} not in this scope: ${why}`)
  console.log(`explorer: ${passed} of ${mutants.length} mutants caught`)
  return { passed, failed: mutants.length - passed }
}

/** True when it was caught. */
async function hunt({ name, scenario, bug }: LawMutant): Promise<boolean> {
  const one = bounds.smoke.find((candidate) => candidate.name === scenario)
  armMutant(name)
  const result = one === undefined ? null : await timed(one)
  armMutant(null)
  const violation = result?.violation ?? null
  const size = result === null ? 'no such scenario' : `${result.steps} moves, ${number(result.states)} states`
  console.log(`${name.padEnd(34)} ${scenario.padEnd(14)} ${violation === null ? 'NOT CAUGHT' : size}`)
  console.log(`${''.padEnd(34)} ${bug}: ${violation ?? 'nothing was found'}`)
  return violation !== null
}

/** What `npm test` runs: the coarse bounds, then the mutants, so that a search that has stopped finding anything is seen. */
async function smoke(): Promise<Counts> {
  const explored = await exploreAll(bounds.smoke)
  const hunted = await huntAll()
  return { passed: explored.passed + hunted.passed, failed: explored.failed + hunted.failed }
}

function chosen(): readonly Exploration[] {
  const all = bounds[boundName]
  if (values.scenario === undefined) return all
  const name = oneOf(program, 'scenario', values.scenario, [...new Set(all.map((one) => one.name))])
  return all.filter((one) => one.name === name)
}

const { passed, failed } = await (values.mutants ? huntAll() : values.smoke ? smoke() : exploreAll(chosen()))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
