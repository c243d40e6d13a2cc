/**
 * `npm run mutants`: switches on one known bug at a time and searches seeds until the simulator catches it. A bug that is not
 * caught means that the suite has stopped testing something.
 */
import { armMutant } from 'lockstep/testing'
import { readOptions } from '../tools/program-options.ts'
import { runSeed } from './run-seed.ts'
import { workloadNamed } from './workloads.ts'

interface Mutant {
  readonly name: string
  readonly bug: string
  readonly workload: string
  /** Must be caught within so many seeds. */
  readonly seedsMax: number
}

const mutants: readonly Mutant[] = [
  { name: 'M01-no-barrier-row', bug: 'no barrier row', workload: 'effects', seedsMax: 50 },
  { name: 'M02-no-tombstone', bug: 'a reversal leaves no tombstone', workload: 'effects', seedsMax: 400 },
  { name: 'M04-unknown-is-refused', bug: 'an unknown answer is treated as refused', workload: 'bank', seedsMax: 100 },
  { name: 'M12-write-without-epoch', bug: 'a write without the epoch condition', workload: 'ownership', seedsMax: 100 },
  {
    name: 'M13-lease-by-local-clock',
    bug: "the lease judged by a clock that is not the store's",
    workload: 'ownership',
    seedsMax: 50,
  },
  {
    name: 'L1-reverse-before-durable',
    bug: 'a reverse call before rolling-back is durable',
    workload: 'bank',
    seedsMax: 50,
  },
  {
    name: 'L2-id-accepted-after-retention',
    bug: 'an id accepted again after retention',
    workload: 'ownership',
    seedsMax: 100,
  },
  {
    name: 'L3-forward-after-reverse-done',
    bug: 'a forward repeat after its reversal answers done',
    workload: 'effects',
    seedsMax: 100,
  },
  {
    name: 'L4-second-takeover-forgets',
    bug: 'a maybe-started step is not reversed after a second takeover',
    workload: 'takeover',
    seedsMax: 400,
  },
  {
    name: 'L4-refused-after-doubt-is-clear',
    bug: 'a refusal clears an earlier unknown attempt',
    // Here every bank has a barrier: a refusal leaves nothing behind there, and the doubtful call may still arrive.
    workload: 'takeover',
    seedsMax: 400,
  },
  { name: 'L5-claim-keeps-epoch', bug: 'a claim keeps the epoch', workload: 'ownership', seedsMax: 50 },
  { name: 'L6-merge-keeps-last-compare', bug: 'a merge keeps the last compare', workload: 'journal', seedsMax: 400 },
  {
    name: 'L6-merge-forgets-the-first',
    bug: 'a merge forgets the hold of the first change',
    workload: 'journal',
    seedsMax: 400,
  },
  {
    name: 'L7-unknown-commit-is-read',
    bug: 'an unanswered COMMIT is settled by a read',
    workload: 'ownership',
    seedsMax: 100,
  },
  { name: 'L9-dead-endpoint-spends-limit', bug: 'a dead endpoint spends the limit', workload: 'bank', seedsMax: 400 },
  {
    name: 'L11-claims-what-it-cannot-call',
    bug: 'a claim of a participant one does not have',
    workload: 'ownership',
    seedsMax: 100,
  },
]

const values = readOptions('npm run mutants', { only: { type: 'string' }, smoke: { type: 'boolean', default: false } })
const smoke = ['M01-no-barrier-row', 'M12-write-without-epoch', 'L4-second-takeover-forgets']
const chosen = mutants.filter(
  ({ name }) => (values.only === undefined || name.startsWith(values.only)) && (!values.smoke || smoke.includes(name)),
)

async function hunt({ name, workload, seedsMax }: Mutant): Promise<{ seeds: number; violation: string } | null> {
  armMutant(name)
  try {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { violation } = await runSeed(seed, workloadNamed(workload), false)
      if (violation !== null) return { seeds: seed, violation }
    }
    return null
  } finally {
    armMutant(null)
  }
}

let missed = 0
for (const mutant of chosen) {
  const caught = await hunt(mutant)
  if (caught === null) missed += 1
  const verdict =
    caught === null ? `NOT CAUGHT in ${mutant.seedsMax} seeds` : `caught by seed ${caught.seeds} of ${mutant.workload}`
  console.log(`${mutant.name.padEnd(34)} ${verdict}`)
  console.log(
    `${''.padEnd(34)} ${mutant.bug}${caught === null ? '' : `: ${caught.violation.split('\n')[0]?.slice(0, 140)}`}`,
  )
}
console.log(`mutants: ${chosen.length - missed} of ${chosen.length} caught`)
console.log(`${chosen.length - missed} passed, ${missed} failed`)
process.exitCode = missed === 0 && chosen.length > 0 ? 0 : 1
