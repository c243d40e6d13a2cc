import { describe, expect, test } from 'vitest'
import { fakeEtcd } from '../../test/fake-etcd.ts'
import { manualTime } from '../../test/manual-time.ts'
import type { WatchOptions } from '../client/watch.ts'
import { Departures } from './departures.ts'

function open() {
  const time = manualTime()
  const watches: { options: WatchOptions; isClosed: boolean }[] = []
  const etcd = fakeEtcd({
    watch(options) {
      const watch = { options, isClosed: false }
      watches.push(watch)
      const close = (): void => {
        watch.isClosed = true
      }
      return { seenRevision: 0n, close }
    },
  })
  const probe = { everyMs: 1_000, withinMs: 500, write: async () => null }
  const departures = new Departures({ etcd, environment: time.environment, prefix: 'p/', probe })
  const event = (kind: 'put' | 'delete', key: string, revision: bigint, version = 0n): void => {
    const entry = { key, value: '', createRevision: 1n, modRevision: revision, version, leaseId: 0n }
    watches.at(-1)?.options.onEvents([{ kind, entry }])
  }
  const woken: string[] = []
  const wait = (who: string, keys: readonly string[], listedAt: bigint, needed = 1) =>
    departures.wait({ keys, needed, own: `own-${who}`, listedAt }, () => woken.push(who))
  return { time, departures, watches, event, wait, woken }
}

describe('the watch of all queues', () => {
  test('begins behind what the first waiter has listed, and is one for all', () => {
    const { wait, watches } = open()
    wait('a', ['x'], 100n)
    wait('b', ['y'], 200n)
    expect(watches.map(({ options }) => options.fromRevision)).toEqual([101n])
  })

  test('wakes who waits for it, once, and nobody else', () => {
    const { wait, event, woken } = open()
    wait('a', ['x'], 100n)
    wait('b', ['y'], 100n)
    event('delete', 'x', 101n)
    event('delete', 'x', 102n)
    expect(woken).toEqual(['a'])
  })

  test('wakes a waiter for permits when enough have left', () => {
    const { wait, event, woken } = open()
    wait('a', ['x', 'y', 'z'], 100n, 2)
    event('delete', 'y', 101n)
    expect(woken).toEqual([])
    event('delete', 'x', 102n)
    expect(woken).toEqual(['a'])
  })

  test('wakes the readers when a writer becomes one, and not when an entry is put', () => {
    const { wait, event, woken } = open()
    wait('a', ['x'], 100n)
    event('put', 'x', 101n, 1n)
    expect(woken).toEqual([])
    event('put', 'x', 102n, 2n)
    expect(woken).toEqual(['a'])
  })

  test('wakes a waiter whose own entry is gone', () => {
    const { wait, event, woken } = open()
    wait('a', ['x'], 100n)
    event('delete', 'own-a', 101n)
    expect(woken).toEqual(['a'])
  })

  test('remembers who left between the list of a waiter and its wait', () => {
    const { wait, event, woken } = open()
    wait('a', ['x'], 100n)
    event('delete', 'y', 105n)
    wait('b', ['y'], 104n)
    wait('c', ['y'], 105n)
    expect(woken).toEqual(['b'])
  })

  test('sends a waiter back to its list when that is older than the watch', () => {
    const { wait, woken } = open()
    wait('a', ['x'], 100n)
    wait('b', ['y'], 98n)
    expect(woken).toEqual(['b'])
  })

  test('forgets the oldest departures, and then sends back who listed before them', () => {
    const { wait, event, woken } = open()
    wait('a', ['x'], 0n)
    for (let revision = 1n; revision <= 5_000n; revision += 1n) event('delete', `k${revision}`, revision)
    wait('b', ['k1'], 0n)
    expect(woken).toEqual(['b'])
  })

  test('sends everybody back when the server has compacted, and begins where the next one has listed', () => {
    const { wait, watches, woken } = open()
    wait('a', ['x'], 100n)
    watches[0]?.options.onGap(150n)
    expect(woken).toEqual(['a'])
    expect(watches[0]?.isClosed).toBe(true)
    wait('a', ['x'], 160n)
    expect(watches[1]?.options.fromRevision).toBe(161n)
  })

  test('ends some time after the last waiter, and leaves no timer', async () => {
    const { wait, watches, time, departures } = open()
    const stop = wait('a', ['x'], 100n)
    stop()
    expect(departures.isWaitedFor).toBe(false)
    await time.advance(9_000)
    expect(watches[0]?.isClosed).toBe(false)
    await time.advance(1_000)
    expect(watches[0]?.isClosed).toBe(true)
    expect(time.timers()).toBe(0)
  })
})
