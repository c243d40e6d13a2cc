import { deepEqual, equal } from 'node:assert/strict'
import type { ClaimRequest, EntryResult, TransactionStore } from 'lockstep/ports'
import { audit, ended, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { OpenedStore, StoreCase } from './store-case.ts'

const ids = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `row-${String(index).padStart(3, '0')}`)

/** The same data through two store objects, or through one where one process owns it. */
export async function pair(opened: OpenedStore): Promise<[TransactionStore, TransactionStore]> {
  return [opened.store, (await opened.another()) ?? opened.store]
}

const appliedCount = (results: readonly EntryResult[]): number =>
  kindsOf(results).filter((kind) => kind === 'applied').length

export const concurrencyCases: readonly StoreCase[] = [
  {
    name: 'of two takers of one row exactly one wins',
    async run(opened) {
      const stores = await pair(opened)
      const writers = stores.map((store, index) => writerOf(store, `taker-${index}`))
      for (const [round, id] of ids(20).entries()) {
        await writerOf(opened.store, `setup-${round}`).commit(insert(id))
        const take = { kind: 'take', id, epoch: 1, version: 1, progress: progress(), audit: audit('take') } as const
        const results = (await Promise.all(writers.map((writer) => writer.commit(take)))).flat()
        deepEqual(kindsOf(results).sort(), ['applied', 'stale'])
        equal((await readOne(opened.store, id)).epoch, 2)
        equal((await opened.store.history(id)).audit.length, 1)
      }
    },
  },
  {
    name: 'of two beginners of one id exactly one begins, and the other is shown that row',
    async run(opened) {
      const writers = (await pair(opened)).map((store, index) => writerOf(store, `beginner-${index}`))
      const begin = (instance: number) => ids(30).map((id) => insert(id, { contentHash: `hash-${instance}` }))
      const results = await Promise.all(writers.map((writer, index) => writer.commit(...begin(index))))
      for (const [index, id] of ids(30).entries()) {
        const answers = results.map((answer) => answer[index])
        const { contentHash } = await readOne(opened.store, id)
        deepEqual(answers.map((answer) => answer?.kind).sort(), ['applied', 'exists'])
        for (const answer of answers) if (answer?.kind === 'exists') equal(answer.row.contentHash, contentHash)
      }
    },
  },
  {
    name: 'two claimers never get one row',
    async run(opened) {
      await writerOf(opened.store).commit(
        ...ids(200).map((id) => insert(id, { owner: Number(id.slice(4)) % 2 ? null : 'dead' })),
      )
      const stores = await pair(opened)
      const claimAll = async (store: TransactionStore, owner: string): Promise<string[]> => {
        const request: ClaimRequest = { owner, limit: 7, services: ['bank'], missingAfterMs: 60_000 }
        await store.heartbeat({ owner, leaseMs: 60_000, services: ['bank'] })
        const found: string[] = []
        for (let empty = 0; empty < 3; ) {
          const claimed = await store.claim(request)
          found.push(...claimed.map(({ row }) => row.id))
          empty = claimed.length === 0 ? empty + 1 : 0
        }
        return found
      }
      // A store that one process owns frees whatever another instance claims, so there is one claimer there.
      const claimers = stores.slice(0, opened.store.exclusive ? 1 : 2)
      const found = (await Promise.all(claimers.map((store, index) => claimAll(store, `claimer-${index}`)))).flat()
      deepEqual(found.sort(), ids(200))
      for (const row of await opened.store.read(ids(200))) equal(row.epoch, 2)
    },
  },
  {
    name: 'a batch meets what another instance commits while it waits, whatever the isolation default is (law 8)',
    async run(opened) {
      const [left, right] = await pair(opened)
      const owner = writerOf(left, 'owner-a')
      const operator = writerOf(right, 'operator')
      const rows = ids(40)
      await owner.commit(...rows.map((id) => insert(id)))
      for (let round = 0; round < 15; round++) {
        const advances = rows.map(
          (id) => ({ kind: 'advance', id, epoch: 1, progress: progress({ state: `${round}` }) }) as const,
        )
        const versions = new Map((await right.read(rows)).map((row) => [row.id, row.version]))
        const marks = [...rows].reverse().map((id) => {
          const columns = { held: null, deadlineAt: round, ageFrom: round }
          return { kind: 'mark', id, version: versions.get(id) ?? 0, operator: columns, nextAt: null } as const
        })
        const [advanced, marked] = await Promise.all([owner.commit(...advances), operator.commit(...marks)])
        equal(appliedCount(advanced), rows.length)
        const after = await left.read(rows)
        const raised = after.reduce((sum, row) => sum + row.version - (versions.get(row.id) ?? 0), 0)
        equal(raised, rows.length + appliedCount(marked))
      }
    },
  },
  {
    name: 'of two decisions in two batches the first is final and the second is shown it (law 8)',
    async run(opened) {
      const writers = (await pair(opened)).map((store, index) => writerOf(store, `decider-${index}`))
      const rows = ids(25)
      await writerOf(opened.store, 'setup').commit(...rows.map((id) => insert(id, { status: 'prepared', owner: null })))
      const decide = (status: 'committing' | 'rolling-back') =>
        rows.map(
          (id) =>
            ({ kind: 'take', id, epoch: 1, version: 1, progress: { ...ended(9), endedAt: null, status } }) as const,
        )
      const [commits, rollbacks] = await Promise.all([
        writers[0]?.commit(...decide('committing')),
        writers[1]?.commit(...decide('rolling-back')),
      ])
      for (const [index, id] of rows.entries()) {
        const answers = [commits?.[index], rollbacks?.[index]]
        deepEqual(answers.map((answer) => answer?.kind).sort(), ['applied', 'stale'])
        const { status } = await readOne(opened.store, id)
        equal(status, answers[0]?.kind === 'applied' ? 'committing' : 'rolling-back')
        for (const answer of answers) if (answer?.kind === 'stale') equal(answer.row?.status, status)
      }
    },
  },
]
