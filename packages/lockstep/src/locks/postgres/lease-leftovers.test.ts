/** Takes that were not answered: how long, and for how many, their release is asked. */
import { expect, test } from 'vitest'
import { VirtualTime } from '../../../test/coordinator/virtual-time.ts'
import { type PgResult, silentLogger } from '../../ports/index.ts'
import { LeaseLeftovers } from './lease-leftovers.ts'
import { NoAnswer } from './trouble.ts'

const hourMs = 3_600_000
const found: PgResult = { rows: [{ was_held: true }], rowCount: 1 }
const nothing: PgResult = { rows: [], rowCount: 0 }
const unanswered = (): Promise<never> => Promise.reject(new NoAnswer('lost', { wasSent: true }))

function leftoversOver(release: (nowMs: number) => Promise<PgResult>) {
  const time = new VirtualTime()
  const { environment, timers } = time.process()
  const closing = new AbortController()
  const parts = { environment: { ...environment, log: silentLogger }, closing: closing.signal, timeoutMs: 5_000 }
  const leftovers = new LeaseLeftovers(parts)
  const asked: { readonly name: string; readonly atMs: number }[] = []
  const leave = (name: string, taking: Promise<PgResult> = unanswered()): void => {
    const asks = (): Promise<PgResult> => {
      asked.push({ name, atMs: time.nowMs })
      return release(time.nowMs)
    }
    leftovers.takeBack(taking, asks, hourMs)
  }
  const close = async (): Promise<number> => {
    closing.abort(new Error('closed'))
    await leftovers.over()
    return timers()
  }
  return { time, leave, asked, close }
}

test('a release that has found nothing is asked again for a few statement timeouts, not for the TTL', async () => {
  const { time, leave, asked, close } = leftoversOver(async () => nothing)
  leave('sku')
  await time.advance(60_000)
  expect(asked.at(-1)?.atMs).toBeGreaterThan(15_000)
  expect(asked.at(-1)?.atMs).toBeLessThan(25_000)
  expect(time.timers).toBe(0)
  expect(await close()).toBe(0)
})

test('a release that is not answered is asked until it is, however long the server is away', async () => {
  const backMs = 300_000
  const { time, leave, asked } = leftoversOver((nowMs) => (nowMs < backMs ? unanswered() : Promise.resolve(found)))
  leave('lost')
  leave('granted', Promise.resolve({ rows: [{ token: '1' }], rowCount: 1 }))
  await time.advance(2 * backMs)
  for (const name of ['lost', 'granted'])
    expect(asked.filter((one) => one.name === name && one.atMs >= backMs)).toHaveLength(1)
  expect(time.timers).toBe(0)
})

test('beyond a thousand the oldest is left to its TTL, and close asks for none of those', async () => {
  const { time, leave, asked, close } = leftoversOver(unanswered)
  for (let at = 0; at <= 1_000; at++) leave(String(at))
  await time.advance(2_000)
  const before = asked.length
  await time.advance(2_000)
  const names = new Set(asked.slice(before).map(({ name }) => name))
  expect([names.size, names.has('0'), names.has('1000')]).toEqual([1_000, false, true])
  expect(await close()).toBe(0)
})
