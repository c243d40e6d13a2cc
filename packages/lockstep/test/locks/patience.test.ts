/** The wait of one ask, as every backend uses it: what ends it, and that nothing of it stays. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { locksClosed, Patience, validUntil } from '../../src/locks/backend/index.ts'
import { VirtualTime } from '../coordinator/virtual-time.ts'

function waiting(waitMs: number) {
  const time = new VirtualTime()
  const { environment, timers } = time.process()
  const [caller, closing] = [new AbortController(), new AbortController()]
  const patience = new Patience({ waitMs, ends: [caller.signal, closing.signal], environment })
  const left = (): number =>
    timers() + [caller, closing].flatMap(({ signal }) => getEventListeners(signal, 'abort')).length
  return { time, patience, caller, closing, left }
}
const never = new Promise<never>(() => {})

describe('Patience', () => {
  it('gives what the request comes to, and its failure', async () => {
    const { patience, left } = waiting(100)
    expect(await patience.during(Promise.resolve(7))).toBe(7)
    expect(await patience.whileItLasts(Promise.resolve(8))).toBe(8)
    await expect(patience.during(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    await expect(patience.whileItLasts(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(left()).toBe(0)
  })

  it('ends with the reason of whichever signal comes first, also for what is asked later', async () => {
    for (const [who, reason] of [
      ['caller', new Error('not any more')],
      ['closing', locksClosed('Test')],
    ] as const) {
      const all = waiting(Number.POSITIVE_INFINITY)
      const { patience, left } = all
      const waits = [patience.during(never), patience.whileItLasts(never), patience.untilWoken(() => () => {})]
      const ends = Promise.allSettled(waits)
      all[who].abort(reason)
      all.caller.abort(new Error('a later one'))
      for (const end of await ends) expect(end).toEqual({ status: 'rejected', reason })
      expect(left()).toBe(0)
      expect(() => waiting(1).patience.check()).not.toThrow()
      expect(() => patience.check()).toThrow()
      await expect(patience.during(Promise.reject(new Error('heard by nobody')))).rejects.not.toThrow('heard')
    }
  })

  it('is over at its time, counted from its beginning', async () => {
    const { time, patience, left } = waiting(100)
    await time.advance(60)
    expect(patience.remainingMs).toBe(40)
    const waits = Promise.all([patience.whileItLasts(never), patience.untilWoken(() => () => {})])
    await time.advance(39)
    expect(left()).toBeGreaterThan(0)
    await time.advance(1)
    expect(await waits).toEqual(['over', 'over'])
    expect(left()).toBe(0)
    expect(patience.remainingMs).toBe(0)
  })

  it('is woken by what was subscribed to, which is then unsubscribed', async () => {
    const { time, patience, left } = waiting(1_000)
    let wake = (): void => {}
    const subscribed = new Set<string>()
    const subscribe = (call: () => void) => {
      subscribed.add('one')
      wake = call
      return () => subscribed.delete('one')
    }
    const woken = patience.untilWoken(subscribe)
    wake()
    expect(await woken).toBe('woken')
    expect(subscribed.size + left()).toBe(0)
    const over = patience.untilWoken(subscribe, 10)
    await time.advance(10)
    expect(await over).toBe('over')
    expect(subscribed.size + left()).toBe(0)
  })
})

describe('validUntil', () => {
  it('counts from the sending, less one percent and 2 ms', () => {
    expect(validUntil(5_000, 10_000)).toBe(14_898)
    expect(validUntil(0, 100)).toBe(97)
  })
})
