import { expect, it } from 'vitest'
import { BarrierBusy } from '../ports/index.ts'
import { memoryDatabase } from './memory-database.ts'

it('shows a transaction its own writes, and others only what is committed', async () => {
  const db = memoryDatabase()
  const tx = await db.begin()
  tx.set('t', 'a', { n: 1 })
  tx.set('t', 'b', 2)
  tx.delete('t', 'b')
  expect([tx.get('t', 'a'), tx.get('t', 'b'), tx.entries('t')]).toEqual([{ n: 1 }, undefined, [['a', { n: 1 }]]])
  expect(db.read('t').size).toBe(0)
  tx.commit()
  expect([...db.read('t')]).toEqual([['a', { n: 1 }]])
})

it('lets transactions in one after the other, in the order of their begin', async () => {
  const db = memoryDatabase()
  const order: number[] = []
  const run = async (n: number): Promise<void> => {
    const tx = await db.begin()
    order.push(n)
    tx.rollback()
  }
  const first = await db.begin()
  const others = Promise.all([run(1), run(2), run(3)])
  await Promise.resolve()
  expect(order).toEqual([])
  first.commit()
  await others
  expect(order).toEqual([1, 2, 3])
})

it('is busy when the lock does not come in time, and the next in line still gets it', async () => {
  const fired: (() => void)[] = []
  const db = memoryDatabase({ timers: { after: (_delayMs, fire) => ({ cancel: () => {}, at: fired.push(fire) }) } })
  const first = await db.begin()
  const impatient = db.begin(10)
  const patient = db.begin()
  fired[0]?.()
  await expect(impatient).rejects.toBeInstanceOf(BarrierBusy)
  first.rollback()
  ;(await patient).commit()
})

it('commits nothing of a client that died, whatever it still does, and lets the next one in', async () => {
  const db = memoryDatabase()
  const dead = await db.begin()
  dead.set('t', 'a', 1)
  db.crash()
  const next = await db.begin()
  expect(() => dead.commit()).toThrow(/died/)
  expect(() => dead.get('t', 'a')).toThrow(/died/)
  dead.rollback()
  next.set('t', 'b', 2)
  next.commit()
  expect([...db.read('t')]).toEqual([['b', 2]])
})
