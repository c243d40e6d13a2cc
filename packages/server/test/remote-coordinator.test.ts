/** `connect` against the real server: what it answers is what the embedded coordinator answers, and outages are waited out. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BeginBody,
  type Coordination,
  connect,
  createCoordinator,
  isLockstepError,
  type RemoteCoordinator,
} from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import { silentLogger } from 'lockstep/ports'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createApi } from '../src/api/create-api.ts'
import { type HttpServer, listen } from '../src/serve/http-server.ts'
import { workPlace } from './child-process.ts'
import { inProcessServer, newId } from './in-process-server.ts'
import { json, type PlainParticipant, plainParticipant } from './plain-participant.ts'

let bank: PlainParticipant

beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/no', () => json({ code: 'poor' }, 409))
  bank.on('/never', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
})

afterAll(() => bank.close())

const saga = (id: string, action = '/yes', more: object = {}): BeginBody => ({
  id,
  pattern: 'saga',
  steps: [{ name: 'debit', action: bank.url + action, compensate: `${bank.url}/undo` }],
  ...more,
})

describe('a remote coordinator', () => {
  const openStore = () => memoryStore({ clock: { now: () => Date.now() }, exclusive: true, storeId: '1f2e3d4c' })
  const stores = { embedded: openStore(), remote: openStore() }
  const embedded = createCoordinator({ store: stores.embedded, urls: 'any' })
  const behind = createCoordinator({ store: stores.remote, urls: 'any' })
  let http: HttpServer
  let remote: RemoteCoordinator

  beforeAll(async () => {
    await Promise.all([embedded.start(), behind.start()])
    http = await listen(
      createApi({ coordinator: behind, logger: silentLogger }),
      { host: '127.0.0.1', port: 0 },
      silentLogger,
    )
    remote = connect(http.url)
  })

  afterAll(async () => {
    await remote.close()
    await Promise.all([embedded.stop(), behind.stop()])
    await http.close(0)
  })

  const hold = () => ({ name: 'hold', confirm: `${bank.url}/yes`, cancel: `${bank.url}/undo`, input: 1 })
  const calls: readonly (readonly [string, (by: Coordination) => Promise<unknown>])[] = [
    ['begins a saga and waits for its end', (by) => by.begin(saga('s1', '/yes', { wait: '5s', labels: { a: 'b c' } }))],
    ['begins it again', (by) => by.begin(saga('s1', '/yes', { labels: { a: 'b c' } }))],
    ['begins another under its id', (by) => by.begin(saga('s1', '/other'))],
    ['begins one that is refused', (by) => by.begin(saga('s2', '/no', { wait: 5_000 }))],
    ['begins nonsense', (by) => by.begin({ id: 'x', pattern: 'sage', steps: 1, wait: 5 })],
    ['begins without steps, and with too long a wait', (by) => by.begin({ ...saga('x'), steps: [], wait: '2m' })],
    ['begins without an id', (by) => by.begin({ pattern: 'saga' } as never)],
    ['begins what is no object', (by) => by.begin([] as never)],
    ['begins what is not JSON', (by) => by.begin({ ...saga('x'), input: { deep: [Number.NaN] } })],
    ['begins under an id that is a path', (by) => by.begin({ ...saga('x'), id: '../x' })],
    ['begins a TCC', (by) => by.begin({ id: 't1', pattern: 'tcc', deadline: '10m' })],
    ['registers a branch', (by) => by.register('t1', hold())],
    ['registers it again', (by) => by.register('t1', hold())],
    ['registers another under its name', (by) => by.register('t1', { ...hold(), input: 2 })],
    ['registers nonsense', (by) => by.register('t1', { name: '_a', participant: 'x', confirm: 'y' })],
    ['registers with nobody', (by) => by.register('nobody', hold())],
    ['registers what is not JSON', (by) => by.register('t1', { ...hold(), input: new Date(0) as never })],
    ['commits', (by) => by.decide('t1', 'commit', { waitMs: 5_000 })],
    ['commits again', (by) => by.decide('t1', 'commit')],
    ['rolls back what is committed', (by) => by.decide('t1', 'rollback')],
    ['registers after the decision', (by) => by.register('t1', { ...hold(), name: 'late' })],
    ['commits what was never begun', (by) => by.decide('nobody', 'commit')],
    ['rolls back what was never begun', (by) => by.decide('t2', 'rollback')],
    ['begins what was rolled back before', (by) => by.begin({ id: 't2', pattern: 'tcc' })],
    ['commits what was rolled back before', (by) => by.decide('t2', 'commit')],
    ['gets what is there', (by) => by.get('s1', { waitMs: 10 })],
    ['gets nothing', (by) => by.get('nobody')],
    ['gets what is a path', (by) => by.get('..')],
    ['begins one that hangs', (by) => by.begin(saga('s3', '/never'))],
    ['holds it', (by) => by.act('s3', { action: 'hold', reason: 'moving' })],
    ['holds it twice', (by) => by.act('s3', { action: 'hold', reason: 'moving' })],
    ['forces what has ended', (by) => by.act('s1', { action: 'force-commit', reason: 'x' })],
    ['acts on nothing', (by) => by.act('nobody', { action: 'retry', reason: 'x' })],
    ['lists what is held', (by) => by.list({ held: true })],
    ['lists by label and time', (by) => by.list({ labels: { a: 'b c' }, since: 0, until: 9e12, status: 'committed' })],
    ['lists with a cursor that is none', (by) => by.list({ cursor: '1:nowhere:x' })],
  ]

  it.for(calls)('%s as the embedded one does', async ([, call]) => {
    expect(await told(call(remote))).toEqual(await told(call(embedded)))
  })

  it('pages as the embedded one does', async () => {
    const pages = async (by: Coordination) => {
      const ids: string[] = []
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await by.list({ limit: 1, ...(cursor === undefined ? {} : { cursor }) })
        ids.push(...page.items.map(({ id }) => id))
        cursor = page.next
      }
      return ids
    }
    const [here, there] = await Promise.all([pages(embedded), pages(remote)])
    expect(there).toEqual(here)
    expect(there.length).toBeGreaterThan(4)
  })

  it('tells past retention how it ended, as the embedded one does', async () => {
    const past = { endedBefore: Date.now() + 1_000, forgetBefore: 0, limit: 100 }
    await Promise.all(Object.values(stores).map((store) => store.retire(past)))
    for (const call of [
      (by: Coordination) => by.get('s1'),
      (by: Coordination) => by.decide('t1', 'commit'),
      (by: Coordination) => by.begin(saga('s1', '/yes', { labels: { a: 'b c' } })),
      (by: Coordination) => by.register('t1', hold()),
      (by: Coordination) => by.act('s2', { action: 'retry', reason: 'x' }),
    ]) {
      const said = await told(call(remote))
      expect(said).toEqual(await told(call(embedded)))
      expect(said).toMatchObject({
        code: 'LOCKSTEP_EXPIRED',
        end: { id: expect.any(String), status: expect.any(String) },
      })
    }
  })
})

/** What was answered or thrown, without what differs between two stores: times and durations. */
async function told(asked: Promise<unknown>): Promise<unknown> {
  try {
    return timeless(await asked)
  } catch (error) {
    if (!isLockstepError(error)) throw error
    const { code, message, outcome, retriable, next, issues, details } = error
    const end = code === 'LOCKSTEP_EXPIRED' ? { id: details?.['id'], status: details?.['status'] } : null
    return { code, message, outcome, retriable, next, issues, end }
  }
}

function timeless(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) => {
    const isTime = /At$/.test(key) || key === 'since' || key === 'durationMs'
    return isTime && inner !== null ? 'some time' : inner
  })
}

describe('while the server is away', () => {
  const place = workPlace()
  const opened: RemoteCoordinator[] = []

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((client) => client.close()))
  })

  afterAll(() => place.clear())

  it('begins, registrations and decisions wait until it is back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-away-'))
    const store = `sqlite:${join(folder, 'away.db')}`
    const first = await inProcessServer({ store })
    const client = connect(first.url, { patience: '30s' })
    opened.push(client)
    const [open, decided, fresh] = [newId('away'), newId('away'), newId('away')]
    await client.begin({ id: open, pattern: 'tcc' })
    await client.begin({ id: decided, pattern: 'tcc' })
    await first.stop()
    const branch = { name: 'a', confirm: `${bank.url}/yes`, cancel: `${bank.url}/undo` }
    const asked = Promise.all([
      client.begin(saga(fresh, '/yes', { wait: '20s' })),
      client.register(open, branch),
      client.decide(decided, 'commit', { waitMs: 20_000 }),
    ])
    const second = await inProcessServer({ store, port: Number(new URL(first.url).port) })
    expect(await asked).toMatchObject([
      { transaction: { status: 'committed' }, replayed: false },
      { transaction: { branches: [{ name: 'a', state: 'waiting' }] }, replayed: false },
      { status: 'committed' },
    ])
    await second.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('because of kill -9 under load: every begin is answered in the end, and every one ends', async () => {
    const first = await place.serve(['--store', place.store])
    const port = new URL(first.url).port
    const client = connect(first.url, { patience: '30s' })
    opened.push(client)
    let answered = 0
    const ids = Array.from({ length: 200 }, () => newId('killed'))
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (const id of ids.filter((_one, at) => at % 8 === lane)) {
        await client.begin(saga(id))
        answered += 1
      }
    })
    const running = Promise.all(lanes)
    await expect.poll(() => answered).toBeGreaterThan(40)
    first.child.kill('SIGKILL')
    await first.finished
    await place.serve(['--store', place.store, '--port', port])
    await running
    const ended = await Promise.all(ids.map((id) => client.get(id, { waitMs: 20_000 })))
    expect(ended.map((transaction) => transaction?.status)).toEqual(ids.map(() => 'committed'))
  })
})
