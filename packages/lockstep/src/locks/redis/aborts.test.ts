import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { Aborts } from './aborts.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

function contention() {
  let times = 0
  const aborted = (): void => {
    times += 1
  }
  return { aborted, times: () => times }
}

it('many that contend under one signal are one listener, and all of them are told', () => {
  const aborts = new Aborts()
  const stop = new AbortController()
  const all = Array.from({ length: 100 }, contention)
  for (const one of all) aborts.add(stop.signal, one)
  expect(listeners(stop.signal)).toBe(1)
  aborts.remove(stop.signal, all[0] as Parameters<Aborts['remove']>[1])
  stop.abort()
  expect(all.map(({ times }) => times())).toEqual([0, ...Array(99).fill(1)])
})

it('the last signal is listened to also between two of its contentions, every other one only while somebody contends', () => {
  const aborts = new Aborts()
  const [first, second] = [new AbortController().signal, new AbortController().signal]
  const [one, other] = [contention(), contention()]
  aborts.add(first, one)
  aborts.remove(first, one)
  expect(listeners(first)).toBe(1)
  aborts.add(first, one)
  expect(listeners(first)).toBe(1)
  aborts.add(second, other)
  expect([listeners(first), listeners(second)]).toEqual([1, 1])
  aborts.remove(first, one)
  expect([listeners(first), listeners(second)]).toEqual([0, 1])
  aborts.remove(second, other)
  aborts.add(first, one)
  expect([listeners(first), listeners(second)]).toEqual([1, 0])
})

it('an abort between two contentions is heard by nobody, and the next listens anew', () => {
  const aborts = new Aborts()
  const [first, second] = [new AbortController(), new AbortController()]
  const [one, other] = [contention(), contention()]
  aborts.add(first.signal, one)
  aborts.remove(first.signal, one)
  first.abort()
  expect(one.times()).toBe(0)
  aborts.add(second.signal, other)
  second.abort()
  expect(other.times()).toBe(1)
})
