import { messageOf } from '../errors.ts'
import type { Alerts, Entry, Logger, Progress, StoredTransaction } from '../ports/index.ts'
import type { Active } from './active.ts'
import type { Journal } from './journal.ts'
import type { StoreClock } from './store-clock.ts'
import { storableHeld, toProgress } from './stored-form.ts'

export interface HandBackParts {
  readonly journal: Journal
  readonly storeClock: StoreClock
  readonly logger: Logger
  readonly alerts: Alerts
}

/**
 * A row that this version cannot drive, for whatever reason, is handed back and held for a person; the others go on. `progress` is the
 * last that was understood of it.
 */
export function handBackHeld(
  { id, epoch, pattern }: StoredTransaction,
  { progress, error }: { readonly progress: Progress; readonly error: unknown },
  { journal, storeClock, logger, alerts }: HandBackParts,
): void {
  const detail = messageOf(error).slice(0, 500)
  logger.error({ id, pattern, error: detail }, 'a transaction cannot be driven here, and is held')
  const now = storeClock.now()
  const hold = storableHeld({ reason: 'internal-error', since: now, by: 'lockstep', detail })
  const { status, state, reason, endedAt } = progress
  const handedBack = { status, state, reason, endedAt, updatedAt: now, nextAt: now, owner: null }
  const entry: Entry = { kind: 'advance', id, epoch, progress: handedBack, hold }
  const raise = () => alerts.raise({ kind: 'held', id, pattern, status, at: now, reason: hold.reason, detail })
  // Rejects only when the journal is closed; the next owner finds the same.
  journal.write(entry).then(raise, () => undefined)
}

/** What is on its way to the store is part of it. A row whose text is not what it should be stays as it is. */
export function lastUnderstood({ base, transaction, spilled }: Active, now: number): Progress {
  try {
    return toProgress(transaction, { owner: null, now, spilled }).progress
  } catch {
    return base
  }
}
