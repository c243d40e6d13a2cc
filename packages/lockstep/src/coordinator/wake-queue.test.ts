import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualTime } from '../../test/coordinator/virtual-time.ts'
import { WakeQueue } from './wake-queue.ts'

it('wakes in the order of time, whatever the order of asking, with one timer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { minLength: 1, maxLength: 30 }), async (moments) => {
      const time = new VirtualTime()
      const woken: number[] = []
      const queue = new WakeQueue(
        time.process().environment.timers,
        () => time.nowMs,
        (id) => {
          expect(Number(id)).toBe(time.nowMs)
          woken.push(Number(id))
        },
      )
      for (const at of moments) queue.add(String(at), at)
      expect(time.timers).toBe(1)
      await time.advance(50)
      expect(woken).toEqual([...moments].sort((one, other) => one - other))
      expect(time.timers).toBe(0)
    }),
    { numRuns: 50 },
  )
})

it('an earlier wake moves the timer; clear forgets all', async () => {
  const time = new VirtualTime()
  const woken: string[] = []
  const queue = new WakeQueue(
    time.process().environment.timers,
    () => time.nowMs,
    (id) => woken.push(id),
  )
  queue.add('late', 100)
  queue.add('early', 10)
  await time.advance(10)
  expect(woken).toEqual(['early'])
  queue.clear()
  await time.advance(1_000)
  expect([woken, time.timers]).toEqual([['early'], 0])
})
