/** The coordinator on a real SQLite file that is full, whose disk fails, or that somebody else has: what was acknowledged is kept. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createCoordinator } from '../../src/compose.ts'
import type { Coordinator } from '../../src/coordinator/coordinator.ts'
import { isLockstepError } from '../../src/errors.ts'
import type { Call, Outcome, TransactionStore, Transport } from '../../src/ports/index.ts'
import { sqliteStore } from '../../src/stores/sqlite/index.ts'
import { body, errorOf, failed, watched } from './world.ts'

const open: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-trouble-'))
  open.push(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'lockstep.db')
}

interface Running {
  readonly coordinator: Coordinator
  readonly failures: unknown[]
  readonly calls: Call[]
}

async function start(
  store: TransactionStore,
  answer: (call: Call) => Outcome | Promise<Outcome> = () => ({ kind: 'done', output: null }),
): Promise<Running> {
  const calls: Call[] = []
  const failures: unknown[] = []
  const transport: Transport = {
    async call(call) {
      calls.push(call)
      return await answer(call)
    },
    canCall: () => true,
    endpointOf: (target) => target,
    close: async () => {},
  }
  const services = { bank: { url: 'http://bank.test', barrier: true } }
  const coordinator = createCoordinator({ store, transport, services, onFailed: (error) => failures.push(error) })
  open.push(() => coordinator.stop())
  await coordinator.start()
  return { coordinator, failures, calls }
}

async function eventually(holds: () => boolean, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it did not come to hold within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const later = (): Outcome => ({ kind: 'pending', retryAfterMs: 3_600_000 })

describe('a full disk', () => {
  it('stops the coordinator; what it had acknowledged is there after a restart with more room, and goes on', async () => {
    const path = file()
    const full = await start(sqliteStore({ path, maxPageCount: 120 }), later)
    const acknowledged: string[] = []
    const input = { text: 'x'.repeat(2_000) }
    for (let n = 0; full.failures.length === 0 && n < 2_000; n++) {
      const begun = await full.coordinator.begin({ ...body(`t${n}`, 'bank.a'), input }).catch((error: unknown) => error)
      if (begun instanceof Error) {
        expect(isLockstepError(begun, 'LOCKSTEP_STORE_FAILED')).toBe(true)
        break
      }
      acknowledged.push(`t${n}`)
    }
    await eventually(() => full.failures.length > 0)
    expect(acknowledged.length).toBeGreaterThan(10)
    expect(full.failures).toHaveLength(1)
    expect(full.coordinator.notReady).toBe('failed')
    expect(await errorOf(full.coordinator.begin(body('later', 'bank.a')))).toMatchObject({
      code: 'LOCKSTEP_STORE_FAILED',
      outcome: 'not-applied',
    })
    await full.coordinator.stop()

    const store = sqliteStore({ path })
    const { coordinator, calls } = await start(store)
    for (const id of acknowledged) {
      expect((await coordinator.begin({ ...body(id, 'bank.a'), input })).replayed).toBe(true)
      await coordinator.act(id, { action: 'retry', reason: 'the disk has room again' }).catch((error: unknown) => error)
      expect((await coordinator.get(id, { waitMs: 10_000 }))?.status).toBe('committed')
    }
    expect(new Set(calls.map(({ transaction }) => transaction)).size).toBeGreaterThanOrEqual(acknowledged.length)
  })
})

describe('a failed fsync', () => {
  it('is final: onFailed once, every waiting begin is told, nothing is called or accepted any more', async () => {
    const store = watched(sqliteStore({ path: file() }))
    const running = await start(store, later)
    await running.coordinator.begin(body('kept', 'bank.a'))
    await eventually(() => running.calls.length === 1)
    store.before = () => Promise.reject(failed())
    const begun = await Promise.allSettled(['a', 'b', 'c'].map((id) => running.coordinator.begin(body(id, 'bank.a'))))
    expect(
      begun.map((end) => end.status === 'rejected' && isLockstepError(end.reason, 'LOCKSTEP_STORE_FAILED')),
    ).toEqual([true, true, true])
    expect(running.failures).toHaveLength(1)
    expect(running.coordinator.notReady).toBe('failed')
    expect((await errorOf(running.coordinator.begin(body('d', 'bank.a')))).code).toBe('LOCKSTEP_STORE_FAILED')
    expect((await errorOf(running.coordinator.rollback('kept'))).code).toBe('LOCKSTEP_STORE_FAILED')
    expect([running.coordinator.activeCount, running.calls.length]).toEqual([0, 1])
  })
  it('that comes while a call is out lets nothing follow from its answer', async () => {
    const store = watched(sqliteStore({ path: file() }))
    let answer = (_: Outcome) => {}
    const { coordinator, calls } = await start(store, () => new Promise((resolve) => (answer = resolve)))
    await coordinator.begin(body('t', 'bank.a', 'bank.b'))
    await eventually(() => calls.length === 1)
    store.before = () => Promise.reject(failed())
    await errorOf(coordinator.begin(body('u', 'bank.a')))
    answer({ kind: 'done', output: null })
    await coordinator.stop()
    expect(calls.map(({ branch }) => branch)).toEqual(['a'])
    expect((await errorOf(coordinator.get('t'))).code).toBe('LOCKSTEP_STOPPING')
  })
})

describe('a second process on the same file', () => {
  it('is refused clearly, and takes everything over once the first has gone', async () => {
    const path = file()
    const first = await start(sqliteStore({ path }), later)
    await first.coordinator.begin(body('t', 'bank.a'))
    const error = await errorOf(start(sqliteStore({ path })))
    expect(error).toMatchObject({ code: 'LOCKSTEP_STORE_LOCKED', outcome: 'not-applied' })
    await eventually(() => first.coordinator.activeCount === 0)
    await first.coordinator.stop()
    const second = await start(sqliteStore({ path }))
    await second.coordinator.act('t', { action: 'retry', reason: 'now' })
    expect((await second.coordinator.get('t', { waitMs: 10_000 }))?.status).toBe('committed')
  })
})
