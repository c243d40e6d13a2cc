import { deepEqual, equal } from 'node:assert/strict'
import type { ClaimRequest, TransactionStore } from 'lockstep/ports'
import { dayMs, ended, held, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

const never = Number.MAX_SAFE_INTEGER

async function claimIds(store: TransactionStore, changes: Partial<ClaimRequest> = {}): Promise<string[]> {
  const claimed = await store.claim({
    owner: 'owner-b',
    limit: 100,
    services: ['bank'],
    missingAfterMs: never,
    ...changes,
  })
  return claimed.map(({ row, takeover }) => (takeover ? `${row.id} (takeover)` : row.id))
}

const free = (id: string, nextAt: number | null = 10) => insert(id, { owner: null, nextAt })

export const claimCases: readonly StoreCase[] = [
  {
    name: 'a claim takes what is due and free, raises the epoch and leaves the version',
    async run({ store }) {
      const parked = { ...progress({ owner: null, state: 'parked', nextAt: 10 }) }
      await writerOf(store).commit(insert('due', parked), free('later', Date.now() + dayMs), free('never', null))
      const [claimed] = await store.claim({ owner: 'owner-b', limit: 9, services: ['bank'], missingAfterMs: never })
      deepEqual(claimed, { row: await readOne(store, 'due'), takeover: false })
      deepEqual(
        [claimed?.row.owner, claimed?.row.epoch, claimed?.row.version, claimed?.row.nextAt],
        ['owner-b', 2, 1, 10],
      )
      deepEqual(await claimIds(store), [])
    },
  },
  {
    name: 'ended and held rows are never claimed',
    async run({ store }) {
      await writerOf(store).commit(
        insert('ended', { ...ended(8), nextAt: 10 }),
        insert('held', { held: held('paused'), owner: null }),
        insert('held-by-the-dead', { held: held('paused'), owner: 'owner-dead' }),
      )
      deepEqual(await claimIds(store, { missingAfterMs: 0 }), [])
    },
  },
  {
    name: 'a full claim takes what dead owners left first, then the longest overdue',
    async run({ store }) {
      await writerOf(store).commit(
        free('f1', 10),
        free('f3', 30),
        free('f2', 20),
        insert('t2', { nextAt: 40 }),
        insert('t1', { nextAt: 35 }),
      )
      deepEqual(await claimIds(store, { limit: 3 }), ['t1 (takeover)', 't2 (takeover)', 'f1'])
      deepEqual(await claimIds(store, { limit: 3 }), ['f2', 'f3'])
    },
  },
  {
    name: 'an instance claims only what it can call (law 11)',
    async run({ store }) {
      const needing = (id: string, needs: readonly string[]) => insert(id, { needs, owner: null, nextAt: 10 })
      await writerOf(store).commit(
        needing('none', []),
        needing('bank', ['bank']),
        needing('both', ['bank', 'stock']),
        needing('stock', ['stock']),
      )
      deepEqual(await claimIds(store, { services: [] }), ['none'])
      deepEqual(await claimIds(store, { services: ['bank', 'other'] }), ['bank'])
      deepEqual(await claimIds(store, { services: ['stock', 'bank'] }), ['both', 'stock'])
    },
  },
  {
    name: 'what nobody can call is claimed once it is overdue (law 11)',
    async run({ store }) {
      const now = Date.now()
      await writerOf(store).commit(free('old', now - dayMs), free('young', now - 1000))
      deepEqual(await claimIds(store, { services: [], missingAfterMs: 60_000 }), ['old'])
    },
  },
  {
    name: 'what a live instance can call is left to it (law 11)',
    requires: 'shared',
    async run({ store }) {
      const live = (owner: string, services: string[], leaseMs = dayMs) => store.heartbeat({ owner, leaseMs, services })
      const needing = (id: string, needs: readonly string[]) => insert(id, { needs, owner: null, nextAt: 10 })
      await writerOf(store).commit(
        needing('both', ['bank', 'stock']),
        needing('gone', ['gone']),
        needing('bank', ['bank']),
      )
      await Promise.all([live('one', ['bank']), live('two', ['stock', 'bank', 'x']), live('three', ['gone'], 0)])
      deepEqual(await claimIds(store, { services: [], missingAfterMs: 0 }), ['gone'])
      await store.resign('two')
      deepEqual(await claimIds(store, { services: [], missingAfterMs: 0 }), ['both'])
    },
  },
  {
    name: 'work of a live owner is left to it; a lease that ended, or was never there, frees it',
    requires: 'shared',
    async run({ store }) {
      const beat = (owner: string, leaseMs: number) => store.heartbeat({ owner, leaseMs, services: [] })
      await writerOf(store).commit(
        ...['live', 'over', 'missing', 'resigned'].map((owner) => insert(`of-${owner}`, { owner })),
      )
      await Promise.all([beat('live', dayMs), beat('over', dayMs), beat('resigned', dayMs)])
      deepEqual(await claimIds(store), ['of-missing (takeover)'])
      await beat('over', 0)
      deepEqual(await claimIds(store), ['of-over (takeover)'])
      await store.resign('resigned')
      deepEqual(await claimIds(store), ['of-resigned (takeover)'])
      equal((await readOne(store, 'of-live')).epoch, 1)
    },
  },
  {
    name: 'an instance never claims what it owns itself',
    async run({ store }) {
      await writerOf(store).commit(insert('mine', { owner: 'owner-b' }), insert('theirs', { owner: 'owner-a' }))
      deepEqual(await claimIds(store), ['theirs (takeover)'])
    },
  },
  {
    name: 'an instance claims its own due rows that it does not drive, where it asks for them',
    async run({ store }) {
      const mine = (id: string, changes = {}) => insert(id, { owner: 'owner-b', needs: ['elsewhere'], ...changes })
      await writerOf(store).commit(
        mine('driven'),
        mine('lost', { nextAt: 20 }),
        mine('later', { nextAt: Date.now() + dayMs }),
        mine('held', { held: held('paused') }),
        insert('theirs', { nextAt: 10 }),
      )
      const except = ['driven', 'absent']
      deepEqual(await claimIds(store, { except }), ['theirs (takeover)', 'lost (takeover)'])
      deepEqual(await claimIds(store, { except: [...except, 'lost', 'theirs'] }), [])
      deepEqual(await claimIds(store, { except: ['theirs', 'lost'], limit: 1 }), ['driven (takeover)'])
      equal((await readOne(store, 'driven')).epoch, 2)
    },
  },
  {
    name: 'the owner before a claim is stale afterwards (law 5)',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1'))
      deepEqual(await claimIds(store), ['order-1 (takeover)'])
      deepEqual(kindsOf(await writer.commit({ kind: 'advance', id: 'order-1', epoch: 1, progress: ended(8) })), [
        'stale',
      ])
    },
  },
]
