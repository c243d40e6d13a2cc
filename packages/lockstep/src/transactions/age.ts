import type { Command, Held, Transaction } from '../ports/index.ts'
import { barrierRetentionMs } from '../protocol/limits.ts'

/** Law 9: no count of attempts ends anything. Age does: first a person is told, then the transaction is held. */
export const alarmAfterMs = 10 * 60_000
export const holdAfterMs = 24 * 3_600_000

export function hold(reason: string, now: number, detail: string | null): Held {
  return { reason, since: now, by: 'lockstep', detail }
}

/** Nobody knows any more what ran: no call may leave on its own. */
export function isOlderThanBarrier(transaction: Transaction, now: number): boolean {
  return now >= transaction.createdAt + barrierRetentionMs
}

export function isTooOld(transaction: Transaction, now: number): boolean {
  return now >= transaction.ageFrom + holdAfterMs
}

/** The alarm, once per `ageFrom`: a resume starts the age again and may alarm again. */
export function ageAlarm<T extends Transaction>(transaction: T, now: number): { transaction: T; commands: Command[] } {
  const due = now >= transaction.ageFrom + alarmAfterMs && transaction.alarmedFor !== transaction.ageFrom
  if (!due) return { transaction, commands: [] }
  return {
    transaction: { ...transaction, alarmedFor: transaction.ageFrom },
    commands: [{ kind: 'alarm', ageMs: now - transaction.ageFrom }],
  }
}

/** The next moment at which age alone changes something. */
export function nextAgeAt(transaction: Transaction): number {
  const alarmed = transaction.alarmedFor === transaction.ageFrom
  return transaction.ageFrom + (alarmed ? holdAfterMs : alarmAfterMs)
}
