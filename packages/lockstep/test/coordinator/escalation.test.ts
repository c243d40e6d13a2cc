/** A receiver says no: the others go on, and then a person is asked, or the producer is told by a linked transaction, exactly once. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Entry, Json } from '../../src/ports/index.ts'
import { done, message, never, refused, unavailable, World } from './world.ts'

/** The id under which the producer is told of a refused delivery. */
const linkedId = (id: string, delivery: string) =>
  `linked-${createHash('sha256').update(`${id} ${delivery}`).digest('hex').slice(0, 40)}`
const telling = (to: string): Record<string, Json> => ({ to, escalate: 'bank.undo' })

describe('a receiver that says no', () => {
  it('keeps nobody back; then the message is held with what each has said, and a retry cures it', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => refused({ code: 'unknown-customer' }))
    world.participants.on('bank.c', () => refused({ code: 'closed' }))
    await coordinator.begin(message('m', 'bank.a', 'bank.b', 'bank.c'))
    await coordinator.decide('m', 'commit')
    expect((await world.settled('m')).held).toMatchObject({
      reason: 'delivery-refused',
      detail: 'a: {"code":"unknown-customer"}; c: {"code":"closed"}',
    })
    expect(world.participants.named('bank.b')).toEqual(['b.deliver#1'])
    world.participants.on('bank.a', () => done())
    world.participants.on('bank.c', () => done())
    await coordinator.act('m', { action: 'retry', reason: 'the customer is known now' })
    expect(await world.settled('m', 2_000)).toMatchObject({ status: 'committed', held: null })
  })
  it('is told to the producer by a message of its own, and the end says that it is incomplete', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => refused('no'))
    await coordinator.begin(message('m', telling('bank.a')))
    await coordinator.decide('m', 'commit')
    expect((await world.settled('m')).status).toBe('committed')
    expect(await coordinator.get('m')).toMatchObject({ incomplete: true, branches: [{ state: 'refused' }] })
    const told = await coordinator.get(linkedId('m', 'a'))
    expect(told).toMatchObject({ status: 'committed', labels: { 'escalation-of': 'm' }, pattern: 'message' })
    expect(world.participants.calls.find(({ target }) => target === 'bank.undo')?.input).toEqual({
      transaction: 'm',
      delivery: 'a',
      input: { order: 7 },
      payload: { to: 'bank.a' },
    })
  })
  it('is told once, although the coordinator dies between what it begins and its note of it', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', () => refused('no'))
    await one.coordinator.begin(message('m', telling('bank.a')))
    one.store.after = (batch) => {
      // Durable, and nobody ever hears of it.
      if (batch.some((entry) => entry.kind === 'insert')) return never
    }
    await one.coordinator.decide('m', 'commit')
    await world.time.until(async () => (await world.rows.read([linkedId('m', 'a')])).length === 1, 2_000)
    expect((await world.row('m')).status).toBe('committing')
    one.kill()
    expect((await world.settled('m', 10_000)).status).toBe('committed')
    expect((await world.settled(linkedId('m', 'a'), 10_000)).status).toBe('committed')
    expect(world.participants.named('bank.undo')).toHaveLength(1)
    const everything = await two.coordinator.list({ limit: 500 })
    expect(everything.items.map(({ id }) => id).sort()).toEqual([linkedId('m', 'a'), 'm'])
  })
  it('is told once, although the store loses the answer to what was begun', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    world.participants.on('bank.a', () => refused('no'))
    await coordinator.begin(message('m', telling('bank.a')))
    let lost = 0
    store.after = (batch) => {
      if (lost === 0 && batch.some((entry) => entry.kind === 'insert')) {
        lost += 1
        throw unavailable()
      }
    }
    await coordinator.decide('m', 'commit')
    expect((await world.settled('m')).status).toBe('committed')
    await world.settled(linkedId('m', 'a'))
    expect([lost, world.participants.named('bank.undo')]).toEqual([1, ['undo.deliver#1']])
  })
  it('nothing is begun for it before its refusal is durable (law 1)', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    world.participants.on('bank.a', () => refused('no'))
    await coordinator.begin(message('m', telling('bank.a')))
    await coordinator.decide('m', 'commit')
    await world.settled('m')
    const entries = store.batches.flat()
    const refusal = (entry: Entry) => entry.kind === 'advance' && entry.progress.state.includes('"state":"refused"')
    const refusedAt = entries.findIndex(refusal)
    expect(refusedAt).toBeGreaterThan(0)
    expect(entries.findIndex((entry) => entry.kind === 'insert' && entry.row.id !== 'm')).toBeGreaterThan(refusedAt)
  })
  it('that cannot be told of is a matter for a person', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => refused('no'))
    // Somebody has that id already, with other content.
    await coordinator.begin({ ...message(linkedId('m', 'a'), 'bank.z'), checkBack: 'shop' })
    await coordinator.begin(message('m', telling('bank.a')))
    await coordinator.decide('m', 'commit')
    const { held } = await world.settled('m')
    expect([held?.reason, held?.detail]).toEqual(['delivery-refused', expect.stringContaining('another transaction')])
  })
})
