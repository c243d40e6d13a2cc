/** What a fight has shown, for people and for the exit code. */
import type { Operation, Verdict } from '@lockstep/testkit'
import { endsWithConnection } from './backends.ts'
import { all, type Held, heldIn, type Life, sectionsIn } from './histories.ts'
import type { LockFight } from './lock-fight.ts'
import { type Judged, judge } from './verdicts.ts'
import { permits } from './workload.ts'

const shownMax = 6

/** True when every promise held. */
export function report(fight: LockFight): boolean {
  const { settings, striker, troubles } = fight
  const { say } = settings
  const lives = livesOf(fight)
  sayCounts(fight, lives, lives.flatMap(heldIn))
  const judged = judgedIn(fight, lives)
  say(`  ${judged.map(brief).join(', ')}`)
  const broken = judged.filter(({ isBinding, verdict }) => isBinding && verdict.valid !== true)
  for (const { promise, verdict } of broken) sayBroken(say, promise, verdict)
  if (striker.strikes === 0) troubles.push('nothing was done to anybody')
  for (const trouble of troubles.slice(0, shownMax)) say(`  BROKEN: ${trouble}`)
  return broken.length === 0 && troubles.length === 0
}

/** What nothing has put to the test yet. */
export function untested(fight: LockFight): readonly string[] {
  const unknown = judgedIn(fight, livesOf(fight)).filter(({ verdict }) => verdict.valid === 'unknown')
  return unknown.map(({ promise }) => promise)
}

function judgedIn({ resource, servers, striker, promised }: LockFight, lives: readonly Life[]): Judged[] {
  const { claims, writes } = resource.refused
  const evidence = {
    held: lives.flatMap(heldIn),
    sections: lives.flatMap(sectionsIn),
    effects: resource.effects,
    lost: resource.tally('fenced').lost,
    refused: claims + writes,
    permits,
    disturbances: striker.disturbances,
    alone: (process: string) => !process.startsWith('w0.'),
  }
  return judge(evidence, { ...promised, exclusive: servers.excludes })
}

function livesOf({ workers, striker, settings }: LockFight): Life[] {
  const ends = endsWithConnection(settings.backend) ? striker.connectionEnds : []
  return workers.flatMap((worker) =>
    worker.lives.map((life) => {
      const cuts = ends.filter((one) => one.worker === null || one.worker === life.process).map(({ atMs }) => atMs)
      const endings = [...cuts, ...(life.killedMs === null ? [] : [life.killedMs])].sort((a, b) => a - b)
      return { process: life.process, events: worker.events(life), endings }
    }),
  )
}

function sayCounts({ settings, striker, resource }: LockFight, lives: readonly Life[], held: readonly Held[]): void {
  const { say } = settings
  const events = lives.flatMap((life) => life.events)
  const kinds = counted(held.map(({ kind }) => kind))
  const refused = counted(all('refused', events).map(({ how }) => how))
  const [fenced, open] = [resource.tally('fenced'), resource.tally('open')]
  say(`  nemeses: ${striker}`)
  say(`  granted ${held.length} (${kinds}), refused: ${refused || 'none'}, leases lost: ${all('lost', events).length}`)
  say(
    `  updates lost without a fence: ${open.lost} of ${open.writes}; behind the fence: ${fenced.lost} of ${fenced.writes}, ` +
      `refused as stale: ${resource.refused.claims} claims, ${resource.refused.writes} writes`,
  )
}

function brief({ promise, verdict, isBinding }: Judged): string {
  if (verdict.valid === true) return `${promise} ${verdict.checked}`
  const how = verdict.valid === 'unknown' ? 'UNKNOWN' : 'VIOLATED'
  return `${promise} ${isBinding ? how : `${how.toLowerCase()}, not promised here`}`
}

function sayBroken(say: (line: string) => void, promise: string, verdict: Verdict): void {
  if (verdict.valid === true) return
  say(`  BROKEN: ${promise}: ${verdict.why}`)
  if (verdict.valid === false) for (const one of verdict.operations.slice(0, shownMax)) say(`    ${textOf(one)}`)
}

function textOf({ process, kind, key, startMs, endMs, value }: Operation): string {
  const end = endMs === null ? 'never answered' : endMs.toFixed(3)
  return `${process} ${kind} ${key} ${startMs.toFixed(3)} to ${end}: ${String(value)}`
}

/** As `3 aborted, 12 timed out`, sorted. */
function counted(words: readonly string[]): string {
  return [...Map.groupBy(words, (word) => word)]
    .map(([word, ones]) => `${ones.length} ${word}`)
    .sort()
    .join(', ')
}
