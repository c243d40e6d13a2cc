/**
 * `npm run crash`: real processes, real SQLite and PostgreSQL, killed at named fail points, with `kill -9` from outside, and paused
 * beyond their lease or their callers' patience; PostgreSQL itself is killed too. Then the banks' own databases are read.
 * Strikes that mostly miss fail the run.
 *
 *   npm run crash -- --kills 100 [--pattern saga|tcc|message|mixed|all] [--store sqlite|postgres] [--seed 7]
 *
 * `mixed` makes the transfers by all patterns at once, `all` by one after the other.
 *
 *   npm run crash -- --locks redis|redlock|zookeeper|zookeeper-ephemeral|etcd|postgres|postgres-advisory|all
 *     [--seconds 60] [--kills 40] [--seed 7] [--lossy] [--smoke]
 *
 * Leases of real processes instead of transfers, judged by what their holders saw. `--kills` is a bound of all strikes. `--lossy`: Redis
 * or masters of RedLock that forget what they have answered; on one Redis two holders must then be seen, and the fence must hold. `--smoke`: short leases, single
 * servers, two backends at a time.
 */
import { postgresAvailable, startPostgres } from '@lockstep/testkit'
import { patterns } from '../examples/bank/transfer.ts'
import { numberOption, oneOf, readOptions } from '../tools/program-options.ts'
import { fight } from './fight.ts'
import { backendNames } from './locks/backends.ts'
import { crashLocks, smokeBackends } from './locks/main.ts'
import { smoke } from './plan.ts'

const program = 'npm run crash'
const values = readOptions(program, {
  kills: { type: 'string' },
  pattern: { type: 'string' },
  store: { type: 'string' },
  seed: { type: 'string', default: '1' },
  smoke: { type: 'boolean', default: false },
  locks: { type: 'string' },
  seconds: { type: 'string' },
  lossy: { type: 'boolean', default: false },
})
if (values.locks !== undefined) process.exit(await crashLocks(locksRun(values.locks)))
const bothStores = ['sqlite', 'postgres'] as const

const kills = numberOption(program, 'kills', values.kills ?? (values.smoke ? String(smoke.strikes) : '100'), 1, 100_000)
const seed = numberOption(program, 'seed', values.seed, 0, 2 ** 32)
const choice = values.pattern ?? (values.smoke ? 'mixed' : 'saga')
const chosen = oneOf(program, 'pattern', choice, [...patterns, 'mixed', 'all'])
const names = chosen === 'all' ? patterns : [chosen]
const found = postgresAvailable()
const asked = values.store === undefined ? bothStores : [oneOf(program, 'store', values.store, bothStores)]
const stores = asked.filter((store) => {
  if (store === 'sqlite' || found.available) return true
  console.log(`skipped postgres: ${found.reason}`)
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') process.exitCode = 1
  return false
})

const results: { name: string; held: boolean }[] = []
for (const name of names) {
  for (const store of stores) {
    const postgres = found.available ? await startPostgres({ fsync: true }) : null
    const by = name === 'mixed' ? patterns : [name]
    const pointsHad = values.smoke && store === 'postgres' ? smoke.pointsOnSqlite : 0
    const held = await fight({ name, store, patterns: by, kills, seed, pointsHad }, postgres)
    await postgres?.stop()
    results.push({ name: `${name} on ${store}`, held })
  }
}
const broken = results.filter(({ held }) => !held)
console.log(
  broken.length === 0
    ? `crash: every invariant held, ${results.map(({ name }) => name).join(', ')}: money conserved, each transfer all or nothing, nothing twice, nothing lost`
    : `crash: BROKEN, ${broken.map(({ name }) => name).join(', ')}`,
)
console.log(`${results.length - broken.length} passed, ${broken.length} failed`)
process.exit(broken.length === 0 && results.length > 0 ? (process.exitCode ?? 0) : 1)

/** With a bound of strikes and none of time, the strikes decide. */
function locksRun(text: string) {
  const locks = oneOf(program, 'locks', text, [...backendNames, 'all'])
  const { smoke: isShort, lossy, kills: strikes } = values
  const secondsUnlessGiven = isShort ? '8' : strikes === undefined ? '60' : '3600'
  return {
    backends: locks !== 'all' ? [locks] : lossy ? (['redis'] as const) : isShort ? smokeBackends : backendNames,
    seconds: numberOption(program, 'seconds', values.seconds ?? secondsUnlessGiven, 5, 86_400),
    strikesMax: numberOption(program, 'kills', strikes ?? '100000', 1, 100_000),
    seed: numberOption(program, 'seed', values.seed, 0, 2 ** 32),
    isShort,
    lossy,
  }
}
