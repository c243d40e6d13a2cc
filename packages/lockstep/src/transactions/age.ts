import { mutant } from '#mutant'
import type { Command, Held, Transaction } from '../ports/index.ts'

/** Law 9: no count of attempts ends anything. Age does: first a person is told, then the transaction is held. */
export const alertAfterMs = 10 * 60_000
export const holdAfterMs = 24 * 3_600_000

export function hold(reason: string, now: number, detail: string | null): Held {
  return { reason, since: now, by: 'lockstep', detail }
}

/** Held by nobody yet: the first reason stands. */
export function heldOnce<T extends Transaction>(transaction: T, reason: string, detail: string, now: number): T {
  return transaction.held === null ? { ...transaction, held: hold(reason, now, detail) } : transaction
}

/** Nobody knows any more what ran: no call may leave on its own. */
export function isOlderThanBarrier({ createdAt }: Transaction, now: number, retentionMs: number): boolean {
  return now >= createdAt + retentionMs && !mutant('L10-old-work-goes-on')
}

export function isTooOld(ageFrom: number, now: number): boolean {
  return now >= ageFrom + holdAfterMs
}

/** The alert, once per `ageFrom`: a resume starts the age again and may alert again. */
export function ageAlert<T extends Transaction>(
  transaction: T,
  ageFrom: number,
  now: number,
): { transaction: T; commands: Command[] } {
  const due = now >= ageFrom + alertAfterMs && transaction.alertedFor !== ageFrom
  if (!due) return { transaction, commands: [] }
  const detail = `unfinished for ${Math.floor((now - ageFrom) / 60_000)} minutes`
  const alert = transaction.status === 'prepared' ? ('undecided' as const) : ('old' as const)
  return { transaction: { ...transaction, alertedFor: ageFrom }, commands: [{ kind: 'alert', alert, detail }] }
}

/** The next moment at which age alone changes something. */
export function nextAgeAt(transaction: Transaction, ageFrom: number): number {
  return ageFrom + (transaction.alertedFor === ageFrom ? holdAfterMs : alertAfterMs)
}
