import { deepEqual, equal } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { isLockstepError } from 'lockstep'
import type { Entry, EntryResult, TransactionStore } from 'lockstep/ports'
import { audit, insert, kindsOf, progress } from './sample-rows.ts'

/** What one writer had acknowledged: each batch begins `width` transactions, then moves each of them once. */
export interface Load {
  readonly batches: number
  readonly repeats: number
}

const width = 20

/**
 * Writes batches until `enough` says so, and repeats a batch that was not answered until it is (law 7). Meanwhile the
 * test kills what it likes. Every answer must be what an undisturbed store would have said.
 */
export async function loadThroughFaults(
  store: TransactionStore,
  instance: string,
  enough: (batches: number) => boolean,
): Promise<Load> {
  let repeats = 0
  let number = 0
  const send = async (batch: readonly Entry[]): Promise<void> => {
    number += 1
    const { results, tries } = await commitUntilAnswered(store, batch, { instance, number })
    repeats += tries - 1
    deepEqual(
      kindsOf(results),
      batch.map(() => 'applied'),
    )
  }
  let batches = 0
  for (; !enough(batches); batches++) {
    const ids = idsOf(instance, batches)
    await send(ids.map((id) => ({ ...insert(id, { owner: instance }), audit: audit('begin') })))
    await send(
      ids.map((id) => ({
        kind: 'advance',
        id,
        epoch: 1,
        progress: progress({ owner: instance }),
        audit: audit('move'),
      })),
    )
  }
  return { batches, repeats }
}

/** Nothing that was acknowledged is lost, and nothing was done twice. */
export async function checkLoad(store: TransactionStore, instance: string, load: Load): Promise<void> {
  for (let batch = 0; batch < load.batches; batch++) {
    const ids = idsOf(instance, batch)
    const rows = await store.read(ids)
    deepEqual(
      rows.map((row) => [row.id, row.epoch, row.version]),
      ids.map((id) => [id, 1, 2]),
    )
    const [first = ''] = ids
    equal((await store.history(first)).audit.length, 2)
  }
}

async function commitUntilAnswered(
  store: TransactionStore,
  batch: readonly Entry[],
  writer: { readonly instance: string; readonly number: number },
): Promise<{ results: readonly EntryResult[]; tries: number }> {
  const until = Date.now() + 60_000
  for (let tries = 1; ; tries++) {
    try {
      return { results: await store.commit(batch, { ...writer, repeat: tries > 1 }), tries }
    } catch (error) {
      if (!isLockstepError(error, 'LOCKSTEP_STORE_UNAVAILABLE') || Date.now() > until) throw error
      equal(error.outcome, 'unknown')
      await pause(20)
    }
  }
}

function idsOf(instance: string, batch: number): string[] {
  return Array.from({ length: width }, (_, index) => `${instance}-${batch}-${String(index).padStart(2, '0')}`)
}
