/**
 * `npm run mutants`: switches on one known bug at a time and searches seeds until the simulator catches it. A bug that is not
 * caught means that the suite has stopped testing something.
 */
import { armMutant } from 'lockstep/testing'
import { readOptions } from '../tools/program-options.ts'
import { runSeed } from './run-seed.ts'
import { workloadNamed } from './workloads.ts'

/** A known bug, and the number of seeds of the workload within which it must be caught. */
type Mutant = readonly [name: string, workload: string, seedsMax: number, bug: string]

/** A bug that several patterns share has a row for each. */
const mutants: readonly Mutant[] = [
  ['M01-no-barrier-row', 'effects', 50, 'no barrier row'],
  ['M01-no-barrier-row', 'tcc-bank', 50, 'no barrier row'],
  ['M01-no-barrier-row', 'message', 50, 'no barrier row'],
  ['M02-no-tombstone', 'effects', 400, 'a reversal leaves no tombstone'],
  ['M02-no-tombstone', 'tcc-bank', 100, 'a cancel leaves no tombstone, and the late try is accepted'],
  ['M04-unknown-is-refused', 'bank', 100, 'an unknown answer is treated as refused'],
  ['M08-check-without-tombstone', 'message', 100, 'a check-back that finds nothing plants no tombstone'],
  ['M09-check-reads-a-replica', 'message', 100, 'a check-back looks into a copy that lags behind'],
  ['M12-write-without-epoch', 'ownership', 100, 'a write without the epoch condition'],
  ['M12-write-without-epoch', 'tcc-bank', 200, 'a write without the epoch condition'],
  ['M13-lease-by-local-clock', 'ownership', 50, "the lease judged by a clock that is not the store's"],
  ['L1-reverse-before-durable', 'bank', 50, 'a reverse call before rolling-back is durable'],
  ['L1-reverse-before-durable', 'tcc-bank', 50, 'a confirm or cancel before the decision is durable'],
  ['L1-reverse-before-durable', 'message', 50, 'a delivery before the decision is durable'],
  ['L2-id-accepted-after-retention', 'ownership', 100, 'an id accepted again after retention'],
  ['L3-forward-after-reverse-done', 'effects', 100, 'a forward repeat after its reversal answers done'],
  ['L3-forward-after-reverse-done', 'tcc-bank', 100, 'a try that is repeated after its cancel answers done'],
  ['L4-second-takeover-forgets', 'takeover', 400, 'a maybe-started step is not reversed after a second takeover'],
  // Here every bank has a barrier: a refusal leaves nothing behind there, and the doubtful call may still arrive.
  ['L4-refused-after-doubt-is-clear', 'takeover', 400, 'a refusal clears an earlier unknown attempt'],
  ['L5-claim-keeps-epoch', 'ownership', 50, 'a claim keeps the epoch'],
  ['L6-merge-keeps-last-compare', 'journal', 400, 'a merge keeps the last compare'],
  ['L6-merge-forgets-the-first', 'journal', 400, 'a merge forgets the hold of the first change'],
  ['L7-unknown-commit-is-read', 'ownership', 100, 'an unanswered COMMIT is settled by a read'],
  ['L7-unknown-commit-is-read', 'tcc-bank', 200, 'an unanswered COMMIT is settled by a read'],
  ['L8-registered-after-decision', 'tcc-bank', 50, 'a branch is registered after the decision'],
  ['L8-merge-forgets-a-branch', 'tcc-bank', 50, 'a merge forgets the branch that was registered with the first change'],
  ['L8-decision-forgets-a-branch', 'tcc-bank', 400, 'a decision writes over a branch registered just before it'],
  ['L9-dead-endpoint-spends-limit', 'bank', 400, 'a dead endpoint spends the limit'],
  ['L10-old-compensation-done', 'tcc-memory', 400, 'a cancel older than the memory of the barrier answers done'],
  ['L10-old-work-goes-on', 'tcc-memory', 400, 'work older than the memory of the barrier is called again'],
  ['L10-old-work-goes-on', 'message-memory', 400, 'work older than the memory of the barrier is called again'],
  ['L11-claims-what-it-cannot-call', 'ownership', 100, 'a claim of a participant one does not have'],
  ['T1-commit-flips-a-rollback', 'tcc-bank', 50, 'a commit flips a rollback'],
  ['T2-refused-second-phase-is-done', 'tcc-bank', 50, 'a refused confirm or cancel counts as done'],
  ['T3-caught-failure-commits', 'tcc-bank', 50, 'a try whose failure is caught still commits'],
  ['T4-confirm-without-try', 'tcc-bank', 100, 'a confirm that finds no try runs all the same'],
  ['T5-try-before-registration', 'tcc-bank', 50, 'a try leaves before its registration is answered'],
  ['P1-rollback-on-own-belief', 'message', 100, 'a rollback is believed, and nobody is asked'],
  ['P2-any-answer-commits', 'message', 100, 'a check answered with anything commits'],
  ['P3-silence-rolls-back', 'message', 50, 'a check without an answer rolls back'],
  ['P4-takeover-forgets-escalations', 'message', 400, 'a takeover forgets whom to tell of a refused delivery'],
  ['P5-takeover-forgets-delays', 'message', 100, 'a takeover forgets that a delivery is not due'],
  ['P6-commit-before-local', 'message', 50, 'a commit is told before the local transaction is through'],
  ['M14-resource-ignores-the-token', 'redis-locks', 2_000, 'a resource that ignores the fencing token'],
  ['M15-not-checked-after-the-wait', 'redis-locks', 200, 'a waiter that takes a grant for its own without asking'],
  ['M16-release-without-owner-compare', 'redis-locks', 400, 'a release that does not compare the owner'],
  ['W1-no-validity-check', 'redis-locks', 2_000, 'a lease that is granted after its validity'],
  ['W4-renewal-from-reply-time', 'redis-locks', 2_000, 'a renewal that counts from its answer'],
  ['M13-lease-by-wall-clock', 'redlock', 1_000, 'a lease judged by the wall clock'],
  ['M14-resource-ignores-the-token', 'redlock', 600, 'a resource that ignores the fencing token'],
  ['M16-release-without-owner-compare', 'redlock', 600, 'a release that does not compare the owner'],
  ['W1-no-validity-check', 'redlock', 2_000, 'a lease that is granted after its validity'],
  ['W2-no-write-back', 'redlock', 800, 'a token that is not written back to a majority'],
  ['W5-no-startup-grace', 'redlock', 5_000, 'a restarted master counts at once, though it may have forgotten'],
]

const values = readOptions('npm run mutants', { only: { type: 'string' }, smoke: { type: 'boolean', default: false } })
const smoke = ['M01-no-barrier-row', 'M12-write-without-epoch', 'L4-second-takeover-forgets']
const chosen = mutants.filter(
  ([name]) => (values.only === undefined || name.startsWith(values.only)) && (!values.smoke || smoke.includes(name)),
)

interface Caught {
  readonly seed: number
  readonly violation: string
  /** What the same seed breaks without the bug: nothing, or the bug has not been caught. */
  readonly without: string | null
}

async function hunt([name, workload, seedsMax]: Mutant): Promise<Caught | null> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    armMutant(name)
    const { violation } = await runSeed(seed, workloadNamed(workload), false).finally(() => armMutant(null))
    if (violation === null) continue
    return { seed, violation, without: (await runSeed(seed, workloadNamed(workload), false)).violation }
  }
  return null
}

function verdictOn(caught: Caught | null, [, workload, seedsMax]: Mutant): string {
  if (caught === null) return `NOT CAUGHT in ${seedsMax} seeds of ${workload}`
  const { seed, without } = caught
  return without === null
    ? `caught by seed ${seed} of ${workload}; without it that seed holds`
    : `NOT CAUGHT: seed ${seed} of ${workload} fails without it as well: ${without.split('\n')[0]}`
}

let missed = 0
for (const mutant of chosen) {
  const [name, , , bug] = mutant
  const caught = await hunt(mutant)
  if (caught?.without !== null) missed += 1
  console.log(`${name.padEnd(34)} ${verdictOn(caught, mutant)}`)
  const shown = caught === null ? '' : `: ${caught.violation.split('\n')[0]?.slice(0, 140)}`
  console.log(`${''.padEnd(34)} ${bug}${shown}`)
}
console.log(`mutants: ${chosen.length - missed} of ${chosen.length} caught`)
console.log(`${chosen.length - missed} passed, ${missed} failed`)
process.exitCode = missed === 0 && chosen.length > 0 ? 0 : 1
