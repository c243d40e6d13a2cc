/** The rows that one transaction of a pattern writes, as the coordinator writes them: recorded and not copied by hand. */
import { type BeginBody, createCoordinator, type EmbeddedCoordinator } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import type { Entry } from 'lockstep/ports'
import type { Advance, Insert } from '../journal/sample-entries.ts'
import type { BenchPattern } from './pattern.ts'

export interface RecordedEntries {
  readonly insert: Insert
  readonly advances: readonly Advance[]
}

export async function recordEntries(pattern: BenchPattern): Promise<RecordedEntries> {
  const participants = pattern.participants.map((name) => `bank.${name}`)
  return record(participants, async (coordinator) => {
    await pattern.byLibrary({ coordinator, until: 'final', local: async () => null })('recorded')
  })
}

/** The row of a begin alone, which leaves its transaction undecided. */
export async function recordBegin(body: BeginBody): Promise<Insert> {
  const { insert } = await record([], async (coordinator) => void (await coordinator.begin(body)))
  return insert
}

async function record(
  participants: readonly string[],
  run: (coordinator: EmbeddedCoordinator) => Promise<void>,
): Promise<RecordedEntries> {
  const entries: Entry[] = []
  const store = memoryStore({ clock: { now: () => Date.now() }, exclusive: true })
  const coordinator = createCoordinator({
    urls: 'any',
    store: {
      ...store,
      commit(batch, writer) {
        entries.push(...batch)
        return store.commit(batch, writer)
      },
    },
    participants: participants.map((name) => ({
      name,
      barrier: true,
      operations: ['action', 'compensate', 'try', 'confirm', 'cancel', 'deliver'],
      run: async () => ({ kind: 'done', output: {} }),
    })),
  })
  await coordinator.start()
  try {
    await run(coordinator)
  } finally {
    await coordinator.stop()
  }
  const insert = entries.find((entry) => entry.kind === 'insert')
  if (insert === undefined) throw new Error('Nothing was begun.')
  return { insert, advances: entries.filter((entry) => entry.kind === 'advance') }
}
