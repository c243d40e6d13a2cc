import type { Advance, Command, Held, Transaction } from '../ports/index.ts'
import { barrierRetentionMs as defaultBarrierRetentionMs } from '../protocol/limits.ts'
import { ageAlert, hold, isOlderThanBarrier, isTooOld, nextAgeAt } from './age.ts'

/** What a pattern says about one of its transactions as it stands now. */
export interface Course<T extends Transaction> {
  /** A turn that time alone makes: a deadline. */
  judge(transaction: T, now: number): T
  /** True when nothing is left to do but to write down the end. */
  isOver(transaction: T): boolean
  /** A call of it is on its way, or what it has asked for is. */
  isOut(transaction: T): boolean
  /** Why only a person can help, besides age. */
  obstacle(transaction: T, now: number): Held | null
  /** Ends it, or lets calls leave. */
  move(transaction: T, now: number): { readonly transaction: T; readonly commands: readonly Command[] }
  /** Moments at which time alone moves it; past ones do no harm. */
  moments(transaction: T): readonly number[]
  /** The age counts from here where that is later than `ageFrom`. */
  startsAt?(transaction: T): number
}

/**
 * What follows from where a transaction stands. The only place that ends one, holds it, or lets its calls leave; every pattern
 * goes through it after each event.
 */
export function proceed<T extends Transaction>(
  transaction: T,
  now: number,
  course: Course<T>,
  barrierRetentionMs = defaultBarrierRetentionMs,
): Advance<T> {
  if (transaction.endedAt !== null) return { transaction, commands: [] }
  if (transaction.held !== null) return { transaction: { ...transaction, nextAt: null }, commands: [] }
  const judged = course.judge(transaction, now)
  const ageFrom = Math.max(judged.ageFrom, course.startsAt?.(judged) ?? 0)
  const isForgotten = !course.isOver(judged) && isOlderThanBarrier(judged, now, barrierRetentionMs)
  const obstacle = obstacleOf(judged, { now, ageFrom, course, isForgotten })
  if (obstacle !== null) return { transaction: { ...judged, held: obstacle, nextAt: null }, commands: [] }
  const moved = isForgotten ? { transaction: judged, commands: [] } : course.move(judged, now)
  if (moved.transaction.endedAt !== null)
    return { transaction: { ...moved.transaction, nextAt: null }, commands: moved.commands }
  const aged = ageAlert(moved.transaction, ageFrom, now)
  const moments = [nextAgeAt(aged.transaction, ageFrom), ...course.moments(aged.transaction)]
  // What is due already waits for an outcome, and that will come.
  const ahead = moments.filter((moment) => moment > now)
  const nextAt = ahead.length === 0 ? now + lookAgainMs : Math.min(...ahead)
  return { transaction: { ...aged.transaction, nextAt }, commands: [...moved.commands, ...aged.commands] }
}

/** Nothing lies ahead only while an answer is waited for; its instance may die before that. */
const lookAgainMs = 60_000

interface Judging<T extends Transaction> {
  readonly now: number
  readonly ageFrom: number
  readonly course: Course<T>
  readonly isForgotten: boolean
}

function obstacleOf<T extends Transaction>(transaction: T, judging: Judging<T>): Held | null {
  const { now, ageFrom, course, isForgotten } = judging
  // What is out is heard first: its answer may be all that is missing, and no action could end what is held without a need.
  if (isForgotten && !course.isOut(transaction)) return hold('older-than-barrier', now, null)
  const isAsking = transaction.status === 'prepared' && course.isOut(transaction)
  if (isTooOld(ageFrom, now) && !isAsking)
    return hold(transaction.status === 'prepared' ? 'undecided' : 'too-old', now, null)
  return course.obstacle(transaction, now)
}
