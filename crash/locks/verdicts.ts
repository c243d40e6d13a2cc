/** What a run has shown. Nothing exercised is a failure as well. */
import {
  checkFence,
  checkFifo,
  checkLinearizable,
  checkMutex,
  checkSemaphore,
  checkTokenOrder,
  type FencedEffect,
  type Model,
  type Operation,
  type Verdict,
  worstOf,
} from '@lockstep/testkit'
import type { Held } from './histories.ts'

/** A time in which something was done to one process, or to the servers and so to all. */
export interface Disturbance {
  readonly worker: string | null
  readonly fromMs: number
  readonly toMs: number
}

export interface Evidence {
  readonly held: readonly Held[]
  readonly sections: readonly Operation[]
  readonly effects: readonly FencedEffect[]
  readonly lost: number
  /** Claims and writes that the fence has refused. */
  readonly refused: number
  readonly permits: number
  readonly disturbances: readonly Disturbance[]
  /** Processes with one contender for the mutex; the others have a queue of their own in front. */
  readonly alone: (process: string) => boolean
}

export interface Promised {
  readonly fair: boolean
  readonly sharing: boolean
  /** False where the servers may forget what they answered: then exclusion is looked at, and not promised. */
  readonly exclusive: boolean
}

export interface Judged {
  readonly promise: string
  readonly verdict: Verdict
  /** An invalid verdict is a failure. */
  readonly isBinding: boolean
}

/** Who has asked stands in the queue by then, also when the machine is busy. */
const settledMs = 200
/** By which a process has all its connections. */
const firstGrants = 2
/** A client that was cut off, or whose server was away, takes so long to be back. */
const afterMs = 3_000

/** What only strikes can show, and what only peace can. */
export const shownByStrikes = ['old holders refused', 'two holders seen']
export const shownByPeace = ['first come, first served']

export function judge(evidence: Evidence, promised: Promised): Judged[] {
  const { held, sections, effects } = evidence
  const mutexes = held.filter(({ kind }) => kind === 'mutex')
  const fencing = held.filter(({ kind }) => kind === 'mutex' || kind === 'write')
  const isBinding = promised.exclusive
  const judged: Judged[] = [
    { promise: 'one holder', verdict: exercised(mutexes, checkMutex), isBinding },
    { promise: 'valid when granted', verdict: checkGrants(held), isBinding: true },
    { promise: 'growing tokens', verdict: exercised(fencing, checkTokenOrder), isBinding: true },
    { promise: 'fence', verdict: checkFence(effects), isBinding: true },
    { promise: 'atomic sections', verdict: checkLinearizable(counterModel, sections), isBinding: true },
    { promise: 'nothing lost behind the fence', verdict: checkLost(evidence), isBinding: true },
    { promise: 'old holders refused', verdict: seen(evidence.refused, 'no holder has come too late'), isBinding: true },
  ]
  if (!promised.exclusive) {
    const verdict = seen(heldTwice(held), 'nothing was forgotten that anybody still held')
    judged.push({ promise: 'two holders seen', verdict, isBinding: true })
  }
  if (promised.sharing)
    judged.push(
      { promise: 'permits', verdict: checkPermits(evidence), isBinding },
      { promise: 'readers or a writer', verdict: checkReadWrite(held), isBinding },
    )
  if (promised.fair && promised.exclusive)
    judged.push({ promise: 'first come, first served', verdict: checkOrder(mutexes, evidence), isBinding: true })
  return judged
}

/** A section reads a value and writes the next one. Of one without an answer the value that it read is known as well. */
const counterModel: Model<number> = {
  initial: 0,
  textOf: String,
  step: (state, { value }) => (value === state ? state + 1 : null),
}

/** Names that only one was granted say nothing; all of them together must say something. */
function exercised(held: readonly Held[], check: (held: readonly Held[]) => Verdict): Verdict {
  const names = [...Map.groupBy(held, ({ key }) => key).values()].filter((ones) => ones.length > 1)
  return names.length === 0 ? { valid: 'unknown', why: 'no name was granted twice' } : check(names.flat())
}

/** What must have happened, so that the promises were put to the test. */
function seen(times: number, otherwise: string): Verdict {
  return times > 0 ? { valid: true, checked: times } : { valid: 'unknown', why: otherwise }
}

/** How many mutexes were granted while an earlier holder still held by its own knowledge. */
export function heldTwice(held: readonly Held[]): number {
  const mutexes = held.filter(({ kind }) => kind === 'mutex')
  const isUnder = (one: Held, before: Held): boolean =>
    before.key === one.key &&
    (before.grantedMs ?? 0) < (one.grantedMs ?? 0) &&
    (one.grantedMs ?? 0) < (before.endMs ?? 0)
  return mutexes.filter((one) => mutexes.some((before) => isUnder(one, before))).length
}

function checkGrants(held: readonly Held[]): Verdict {
  const late = held.find(({ leftMs }) => leftMs <= 0)
  if (late !== undefined)
    return { valid: false, why: `${late.id} was granted ${late.key} when its time was over`, operations: [] }
  return held.length > 0 ? { valid: true, checked: held.length } : { valid: 'unknown', why: 'nothing was granted' }
}

function checkLost({ lost, effects }: Evidence): Verdict {
  if (lost !== 0) return { valid: false, why: `${lost} updates were lost behind the fence`, operations: [] }
  const { length } = effects
  return length > 0 ? { valid: true, checked: length } : { valid: 'unknown', why: 'nothing was written' }
}

function checkPermits({ held, permits }: Evidence): Verdict {
  const taken = held.filter(({ kind }) => kind === 'permit')
  return exercised(taken, (ones) => checkSemaphore(ones, permits))
}

/** Readers are together, a writer is alone. */
export function checkReadWrite(held: readonly Held[]): Verdict {
  const shared = held.filter(({ kind }) => kind === 'read' || kind === 'write')
  return exercised(shared, (ones) => worstOf([...Map.groupBy(ones, ({ key }) => key).values()].map(alone)))
}

function alone(held: readonly Held[]): Verdict {
  let open: Held[] = []
  for (const one of held.toSorted((a, b) => (a.grantedMs ?? 0) - (b.grantedMs ?? 0))) {
    open = open.filter(({ endMs }) => (endMs ?? Infinity) > (one.grantedMs ?? 0))
    const other = one.kind === 'write' ? open[0] : open.find(({ kind }) => kind === 'write')
    if (other !== undefined)
      return {
        valid: false,
        why: `${other.id} held it to ${other.kind} when ${one.id} was granted to ${one.kind}`,
        operations: [],
      }
    open.push(one)
  }
  return { valid: true, checked: held.length }
}

/** Only those are compared who were left in peace while they waited, by a process whose connections stood by then. */
export function checkOrder(
  mutexes: readonly Held[],
  { disturbances, alone: isAlone }: Pick<Evidence, 'disturbances' | 'alone'>,
): Verdict {
  const peaceful = connected(mutexes).filter(
    (one) => one.queues && isAlone(one.process) && !isDisturbed(one, disturbances),
  )
  const verdict = exercised(peaceful, (ones) => checkFifo(ones, settledMs))
  if (verdict.valid !== true) return verdict
  const compared = comparedIn(peaceful)
  return compared > 0
    ? { valid: true, checked: compared }
    : { valid: 'unknown', why: 'nobody waited for long enough behind somebody' }
}

/** A process opens its connections, to ask and to be told, when it first needs them. */
function connected(held: readonly Held[]): Held[] {
  const ofProcesses = Map.groupBy(held, ({ process }) => process).values()
  return [...ofProcesses].flatMap((ones) => ones.toSorted((a, b) => a.askedMs - b.askedMs).slice(firstGrants))
}

function isDisturbed({ process, askedMs, grantedMs }: Held, disturbances: readonly Disturbance[]): boolean {
  return disturbances.some(
    ({ worker, fromMs, toMs }) =>
      (worker === null || worker === process) && fromMs <= (grantedMs ?? 0) && askedMs <= toMs + afterMs,
  )
}

/** Those who asked while somebody had been waiting for so long that the order is certain. */
function comparedIn(held: readonly Held[]): number {
  return held.filter((one) =>
    held.some(
      (before) =>
        before.key === one.key &&
        before.askedMs + settledMs < one.askedMs &&
        one.askedMs < (before.grantedMs ?? Number.NEGATIVE_INFINITY),
    ),
  ).length
}
