import type { AuditRow, Entry, Transaction } from '../ports/index.ts'
import type { Active } from './active.ts'
import { changedWork, storableHeld, toProgress } from './stored-form.ts'

interface Writing {
  readonly owner: string | null
  readonly now: number
  readonly audit: AuditRow | undefined
}

/**
 * The entry that makes the transaction durable as it now stands. What it carries along once (old attempts, changed work, a hold) is taken
 * out of `active`: entries of one transaction reach the store in their order, and none is lost.
 */
export function nextEntry(active: Active, { owner, now, audit }: Writing): { entry: Entry; kept: Transaction } {
  const { transaction, spilled, pendingHold, id, epoch } = active
  const { progress, spill, kept } = toProgress(transaction, { owner, now, spilled })
  const work = changedWork(transaction, active.written)
  active.written = { definition: transaction.definition, needs: transaction.needs }
  active.transaction = kept
  // Grows with what is written anew; what is written over is counted again, which errs on the safe side.
  active.size = Math.max(active.size, progress.state.length + (work.work?.definition?.length ?? 0))
  active.spilled += spill.length
  active.pendingHold = null
  const entry: Entry = {
    kind: 'advance',
    id,
    epoch,
    progress,
    ...work,
    ...(spill.length === 0 ? {} : { attempts: spill }),
    ...(audit === undefined ? {} : { audit }),
    ...(pendingHold === null ? {} : { hold: storableHeld(pendingHold) }),
  }
  return { entry, kept }
}
