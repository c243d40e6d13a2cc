/**
 * `npm run crash`: real processes, real SQLite and PostgreSQL, killed at named fail points, with `kill -9` from outside, and paused
 * beyond their lease or their callers' patience; PostgreSQL itself is killed too. Then the banks' own databases are read.
 * Strikes that mostly miss fail the run.
 *
 *   npm run crash -- --kills 100 [--store sqlite|postgres] [--seed 7]
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresAvailable, RandomStreams, startPostgres } from '@lockstep/testkit'
import { numberOption, oneOf, readOptions } from '../tools/program-options.ts'
import { check, comeToRest } from './checks.ts'
import { Load } from './load.ts'
import { planStrikes } from './plan.ts'
import { install } from './processes.ts'
import { Striker } from './strike.ts'

const program = 'npm run crash'
const values = readOptions(program, {
  kills: { type: 'string' },
  store: { type: 'string' },
  seed: { type: 'string', default: '1' },
  smoke: { type: 'boolean', default: false },
})
const bothStores = ['sqlite', 'postgres'] as const

const kills = numberOption(program, 'kills', values.kills ?? (values.smoke ? '16' : '100'), 1, 100_000)
const seed = numberOption(program, 'seed', values.seed, 0, 2 ** 32)
const strikesPerRound = 25
const found = postgresAvailable()
const asked = values.store === undefined ? bothStores : [oneOf(program, 'store', values.store, bothStores)]
const stores = asked.filter((store) => {
  if (store === 'sqlite' || found.available) return true
  console.log(`skipped postgres: ${found.reason}`)
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') process.exitCode = 1
  return false
})

async function fight(store: 'sqlite' | 'postgres'): Promise<boolean> {
  const postgres = found.available ? await startPostgres({ fsync: true }) : null
  const installation = await install(store, postgres)
  const historyFile = join(mkdtempSync(join(tmpdir(), 'lockstep-history-')), `${store}.jsonl`)
  const load = new Load({
    coordinators: installation.coordinators,
    random: new RandomStreams(seed, () => {}).fork('load'),
    historyFile,
  })
  const striker = new Striker(installation, postgres)
  const coordinators = installation.coordinators.length
  // A server of the user's is not killed.
  const killsPostgres = store === 'postgres' && postgres?.isPrivate === true
  const strikes = planStrikes({ seed, strikes: kills, coordinators, banks: 2, killsPostgres })
  console.log(`crash ${store}: ${kills} strikes, ${coordinators} coordinator(s), seed ${seed}, history ${historyFile}`)
  try {
    for (let first = 0; first < strikes.length; first += strikesPerRound) {
      load.start(first)
      for (const one of strikes.slice(first, first + strikesPerRound)) await striker.strike(one)
      await load.stop()
      await comeToRest(installation)
      const violations = await check(installation, load, historyFile)
      const done = Math.min(strikes.length, first + strikesPerRound)
      console.log(`  ${done} of ${strikes.length} strikes: ${striker}; ${load.stories.size} transfers`)
      for (const violation of violations.slice(0, 10)) console.log(`  BROKEN: ${violation}`)
      if (violations.length > 0) return false
      if (load.stories.size === 0) return false
    }
    const idle = striker.provesNothing()
    if (idle !== null) console.log(`  BROKEN: ${idle}`)
    return idle === null
  } catch (error) {
    console.log(`  BROKEN: ${error instanceof Error ? error.message : String(error)}`)
    for (const victim of [...installation.coordinators, ...installation.banks])
      console.log(`--- ${victim.name}\n${victim.log()}`)
    return false
  } finally {
    await installation.close()
    await postgres?.stop()
  }
}

const results: { store: string; held: boolean }[] = []
for (const store of stores) results.push({ store, held: await fight(store) })
const broken = results.filter(({ held }) => !held)
console.log(
  broken.length === 0
    ? `crash: every invariant held on ${stores.join(' and ')}: money conserved, each transfer all or nothing, nothing twice, nothing lost`
    : `crash: BROKEN on ${broken.map(({ store }) => store).join(' and ')}`,
)
console.log(`${results.length - broken.length} passed, ${broken.length} failed`)
process.exit(broken.length === 0 && results.length > 0 ? (process.exitCode ?? 0) : 1)
