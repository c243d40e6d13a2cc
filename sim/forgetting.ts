import type { Installation } from './installation.ts'
import type { SharedDatabase } from './shared-database.ts'

const everyMs = 5_000

/**
 * Deletes old barrier rows for as long as the run lasts. `afterMs` is longer than the barrier's memory: a call that left in time may
 * still be on its way when that ends, and its participant's clock may be behind.
 */
export function forgetOldRows(
  { scheduler }: Installation,
  databases: Iterable<SharedDatabase>,
  afterMs: number | null,
): void {
  if (afterMs === null) return
  const all = [...databases]
  const sweep = (): void => {
    for (const database of all) void database.forgetBefore(scheduler.now() - afterMs)
    scheduler.after(everyMs, 'old barrier rows are deleted', sweep)
  }
  scheduler.after(everyMs, 'old barrier rows are deleted', sweep)
}
