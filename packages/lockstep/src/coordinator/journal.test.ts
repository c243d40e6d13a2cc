/** Group commit: what shares a batch, what is merged, what is repeated, and what happens when the disk fails (laws 6 and 7). */
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualTime } from '../../test/coordinator/virtual-time.ts'
import { failed, unavailable, type WatchedStore, watched } from '../../test/coordinator/world.ts'
import { isLockstepError } from '../errors.ts'
import type { AuditRow, Entry, EntryResult, Held, Progress } from '../ports/index.ts'
import { silentLogger } from '../ports/index.ts'
import { memoryStore } from '../stores/memory/index.ts'
import { Journal } from './journal.ts'

let time: VirtualTime
let store: WatchedStore
let journal: Journal
let failures: unknown[]

beforeEach(() => {
  time = new VirtualTime()
  const { clock, timers } = time.process().environment
  store = watched(memoryStore({ clock: time.storeClock() }))
  failures = []
  journal = new Journal({
    store,
    instance: 'one',
    clock,
    timers,
    logger: silentLogger,
    onFailed: (error) => failures.push(error),
  })
})

const progress = (state: string): Progress => ({
  status: 'committing',
  state,
  reason: null,
  updatedAt: 0,
  endedAt: null,
  nextAt: 0,
  owner: 'one',
})
const insert = (id: string): Entry => ({
  kind: 'insert',
  row: {
    ...{
      id,
      pattern: 'saga',
      contentHash: 'c',
      definition: '{}',
      needs: [],
      labels: {},
      createdAt: 0,
      traceparent: null,
    },
    ...progress('0'),
    ...{ held: null, deadlineAt: null, ageFrom: 0 },
  },
})
const advance = (id: string, state: string, more: Partial<Extract<Entry, { kind: 'advance' }>> = {}): Entry => {
  return { kind: 'advance', id, epoch: 1, progress: progress(state), ...more }
}
const attempt = (number: number) =>
  ({ branch: 'a', operation: 'action', number, startedAt: 0, durationMs: 0, outcome: 'done', error: null }) as const
const held: Held = { reason: 'limit-spent', since: 0, by: 'lockstep', detail: null }
const audit = (action: string): AuditRow => ({
  at: 0,
  by: 'ada',
  action,
  branch: null,
  reason: 'r',
  before: 'x',
  after: 'y',
})
const idsOf = (batch: readonly Entry[] | undefined) =>
  batch?.map((entry) => (entry.kind === 'insert' ? entry.row.id : entry.id))
const stateOf = async (id: string) => (await store.read([id]))[0]?.state

/** The first batch stays on its way until `open` is called. */
function blocked(): { open(): void } {
  let open = () => {}
  store.before = () => {
    store.before = () => {}
    return new Promise((resolve) => (open = resolve))
  }
  return { open: () => open() }
}

async function begun(...ids: string[]): Promise<void> {
  await Promise.all(ids.map((id) => journal.write(insert(id))))
  store.batches.length = 0
  store.writers.length = 0
}

describe('group commit', () => {
  it('what is written in one turn shares one batch', async () => {
    await Promise.all(['a', 'b', 'c'].map((id) => journal.write(insert(id))))
    expect(store.batches.map(idsOf)).toEqual([['a', 'b', 'c']])
  })
  it('while one batch is on its way the next one collects, and only one is on its way', async () => {
    const { open } = blocked()
    const first = journal.write(insert('a'))
    await time.settle()
    const rest = ['b', 'c'].map((id) => journal.write(insert(id)))
    await time.settle()
    expect([store.batches.length, journal.size]).toEqual([1, 2])
    open()
    await Promise.all([first, ...rest])
    expect(store.batches.map(idsOf)).toEqual([['a'], ['b', 'c']])
  })
  it('a batch holds at most 256 changes', async () => {
    await Promise.all(Array.from({ length: 600 }, (_, n) => journal.write(insert(`t${n}`))))
    expect(store.batches.map((batch) => batch.length)).toEqual([256, 256, 88])
  })
  it('one entry of a transaction is in a batch, and its entries keep their order', async () => {
    await begun('a')
    const done: string[] = []
    const write = (entry: Entry, name: string) => journal.write(entry).then(() => done.push(name))
    const mark: Entry = {
      kind: 'mark',
      id: 'a',
      version: 2,
      operator: { held: null, deadlineAt: null, ageFrom: 7 },
      nextAt: 0,
    }
    await Promise.all([
      write(advance('a', '1'), 'first'),
      write(mark, 'mark'),
      write(advance('a', '2'), 'last'),
      write(insert('b'), 'other'),
    ])
    expect(store.batches.map(idsOf)).toEqual([['a', 'b'], ['a'], ['a']])
    expect(done).toEqual(['first', 'other', 'mark', 'last'])
    expect((await store.read(['a']))[0]).toMatchObject({ state: '2', ageFrom: 7, version: 4 })
  })
  it('each caller gets the result of its own entry', async () => {
    await begun('a')
    const results = await Promise.all([
      journal.write(insert('a')),
      journal.write(insert('b')),
      journal.write(advance('c', '1')),
    ])
    expect(results.map(({ kind }) => kind)).toEqual(['exists', 'applied', 'stale'])
  })
})

describe('merging', () => {
  it('keeps the last state, every attempt, the first hold, the audit row and every caller', async () => {
    await begun('a')
    const results = await Promise.all([
      journal.write(advance('a', '1', { attempts: [attempt(1)], hold: held })),
      journal.write(advance('a', '2', { attempts: [attempt(2)], audit: audit('retry') })),
      journal.write(advance('a', '3', { hold: { ...held, reason: 'too-old' } })),
    ])
    expect(store.batches).toHaveLength(1)
    expect(store.batches[0]).toEqual([
      advance('a', '3', { attempts: [attempt(1), attempt(2)], hold: held, audit: audit('retry') }),
    ])
    expect(results.map(({ kind }) => kind)).toEqual(['applied', 'applied', 'applied'])
    expect((await store.history('a')).audit).toHaveLength(1)
  })
  it('keeps the work that has grown last, whichever of them carries it', async () => {
    await begun('a')
    const work = (definition: string) => ({ work: { definition, needs: ['bank'] } })
    await Promise.all([
      journal.write(advance('a', '1', work('one branch'))),
      journal.write(advance('a', '2', work('two branches'))),
      journal.write(advance('a', '3')),
    ])
    expect(store.batches).toHaveLength(1)
    expect(await store.read(['a'])).toMatchObject([{ state: '3', definition: 'two branches', needs: ['bank'] }])
  })
  it('two audit rows stay two entries', async () => {
    await begun('a')
    const both = ['retry', 'skip'].map((action) => journal.write(advance('a', action, { audit: audit(action) })))
    await Promise.all(both)
    expect(store.batches).toHaveLength(2)
    expect((await store.history('a')).audit.map(({ action }) => action)).toEqual(['retry', 'skip'])
  })
  it('another epoch stays another entry: the older one is told that it is stale', async () => {
    await begun('a')
    const results = await Promise.all([
      journal.write(advance('a', 'old', { epoch: 0 })),
      journal.write(advance('a', 'new')),
    ])
    expect(results.map(({ kind }) => kind)).toEqual(['stale', 'applied'])
    expect(await stateOf('a')).toBe('new')
  })
  it('what is on its way is not merged into', async () => {
    await begun('a')
    const { open } = blocked()
    const first = journal.write(advance('a', '1'))
    await time.settle()
    const second = journal.write(advance('a', '2'))
    open()
    await Promise.all([first, second])
    expect(store.batches.map((batch) => batch.length)).toEqual([1, 1])
  })
})

describe('lazy entries', () => {
  it('leave by themselves after 100 ms', async () => {
    await begun('a')
    void journal.writeLazily(advance('a', '1'))
    await time.advance(99)
    expect(store.batches).toEqual([])
    await time.advance(1)
    expect(await stateOf('a')).toBe('1')
    expect(time.timers).toBe(0)
  })
  it('ride along with the next change of the same transaction', async () => {
    await begun('a')
    const lazy = journal.writeLazily(advance('a', '1', { attempts: [attempt(1)] }))
    const urgent = journal.write(advance('a', '2'))
    await Promise.all([lazy, urgent])
    expect([time.nowMs, store.batches.length]).toEqual([0, 1])
  })
  it('do not hold up what cannot be merged with them', async () => {
    await begun('a')
    const lazy = journal.writeLazily(advance('a', '1', { audit: audit('retry') }))
    await Promise.all([lazy, journal.write(advance('a', '2', { audit: audit('skip') }))])
    expect([time.nowMs, await stateOf('a')]).toEqual([0, '2'])
  })
  it('leave one after the other when their time is over, each at its own', async () => {
    await begun('a', 'b')
    void journal.writeLazily(advance('a', '1'))
    await time.advance(60)
    void journal.writeLazily(advance('b', '1'))
    await time.advance(40)
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['1', '0'])
    await time.advance(60)
    expect(await stateOf('b')).toBe('1')
  })
})

describe('a batch without an answer', () => {
  it('is repeated as it is, with the same number, until the store answers', async () => {
    let left = 4
    store.before = () => {
      if (left-- > 0) throw unavailable()
    }
    const first = journal.write(insert('a'))
    await time.settle()
    const second = journal.write(insert('b'))
    await time.advance(2_000)
    expect(((await first) as EntryResult).kind).toBe('applied')
    await second
    expect(store.batches.map(idsOf)).toEqual([['a'], ['a'], ['a'], ['a'], ['a'], ['b']])
    expect(store.batches[4]).toBe(store.batches[0])
    expect(store.writers.map(({ number, repeat }) => [number, repeat])).toEqual([
      [1, false],
      [1, true],
      [1, true],
      [1, true],
      [1, true],
      [2, false],
    ])
  })
  it('is repeated without haste: 50 ms at first, 2 s at most', async () => {
    store.before = () => {
      throw new Error('anything but a failed disk')
    }
    void journal.write(insert('a')).catch(() => {})
    await time.advance(60_000)
    expect(store.batches.length).toBeGreaterThan(30)
    expect(store.batches.length).toBeLessThan(40)
  })
  it('that was applied all the same is not applied twice', async () => {
    await begun('a')
    store.after = () => {
      store.after = () => {}
      throw unavailable()
    }
    const result = journal.write(advance('a', '1'))
    await time.advance(100)
    expect(await result).toMatchObject({ kind: 'applied', row: { version: 2 } })
  })
})

describe('the end', () => {
  it('a failed disk stops it for good: every caller is told, and onFailed once', async () => {
    store.before = () => Promise.reject(failed())
    const waiting = [journal.write(insert('a'))]
    await Promise.resolve()
    waiting.push(journal.write(insert('b')), journal.writeLazily(insert('c')))
    const ends = await Promise.allSettled(waiting)
    expect(ends.every((end) => end.status === 'rejected' && isLockstepError(end.reason, 'LOCKSTEP_STORE_FAILED'))).toBe(
      true,
    )
    await expect(journal.write(insert('d'))).rejects.toThrow('fsync failed')
    expect([failures.length, store.batches.length, time.timers]).toEqual([1, 1, 0])
  })
  it('close rejects what waits, and what is on its way is still answered', async () => {
    const { open } = blocked()
    const first = journal.write(insert('a'))
    await time.settle()
    const second = journal.write(insert('b'))
    journal.close(new Error('closed'))
    await expect(second).rejects.toThrow('closed')
    await expect(journal.write(insert('c'))).rejects.toThrow('closed')
    open()
    expect((await first).kind).toBe('applied')
    expect(journal.size).toBe(0)
  })
  it('close ends the repeats', async () => {
    store.before = () => Promise.reject(unavailable())
    const written = journal.write(insert('a'))
    await time.advance(500)
    journal.close(new Error('closed'))
    const told = expect(written).rejects.toThrow('closed')
    await time.advance(5_000)
    await told
    const tries = store.batches.length
    await time.advance(60_000)
    expect([store.batches.length, time.timers]).toEqual([tries, 0])
  })
  it('flush waits for what waits, lazy or not, and for what is on its way', async () => {
    await begun('a')
    const { open } = blocked()
    void journal.write(advance('a', '1'))
    await time.settle()
    void journal.writeLazily(insert('b'))
    let flushed = false
    void journal.flush().then(() => (flushed = true))
    await time.settle()
    expect(flushed).toBe(false)
    // What comes meanwhile is not lazy either: it would be waited for without end.
    void journal.writeLazily(insert('c'))
    open()
    await time.settle()
    expect([flushed, journal.size, time.nowMs]).toEqual([true, 0, 0])
    expect(await store.read(['b', 'c'])).toHaveLength(2)
  })
})
