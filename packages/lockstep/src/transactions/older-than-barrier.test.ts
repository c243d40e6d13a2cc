/** A transaction that becomes older than the memory of the barrier while calls are out (law 10): their answers may be all that is missing. */
import { describe, expect, it } from 'vitest'
import { deliveries, MessageRun } from '../../test/coordinator/message-run.ts'
import { TccRun } from '../../test/coordinator/tcc-run.ts'

const memory = { barrierRetentionMs: 60_000 }
const escalating = { a: { escalate: 'orders.undo' } }
const message = (more = {}) => new MessageRun(deliveries('ab', more), {}, memory).after(59_000).commit().after(2_000)

const runs = {
  'a message': () => message(),
  'a TCC that commits': () => new TccRun('ab', { deadline: '1h' }, memory).after(59_000).commit().after(2_000),
  'a TCC that rolls back': () => new TccRun('ab', { deadline: '1h' }, memory).after(59_000).rollback().after(2_000),
}

describe.each(Object.entries(runs))('%s', (_name, run) => {
  it('ends when everything that was out is done', () => {
    const one = run().done('a')
    expect([one.transaction.held, one.commands]).toEqual([null, []])
    expect(one.done('b').transaction).toMatchObject({ held: null, endedAt: one.now })
  })

  it('is held as soon as nothing is out and something is missing', () => {
    const one = run().done('a').unknown('b')
    expect(one.transaction.held?.reason).toBe('older-than-barrier')
  })

  it('lets nothing leave while it waits for what is out', () => {
    const one = run().unknown('a').after(5_000).woke()
    expect([one.transaction.held, one.commands]).toEqual([null, []])
  })

  it('is held at once by whoever takes it over: what was out is nobody’s', () => {
    expect(run().takeover().transaction.held?.reason).toBe('older-than-barrier')
  })
})

it('an escalation that was asked for is heard as well', () => {
  const run = message(escalating).done('b')
  run.now -= 2_000
  run.refused('a').after(2_000).woke()
  expect(run.transaction.held).toBeNull()
  expect(run.begun('a').transaction.status).toBe('committed')
})

it('a check that is out may still decide, and then nobody is called any more', () => {
  const run = new MessageRun(deliveries('a'), {}, memory).after(59_000).woke().after(2_000).woke()
  expect(run.transaction.held).toBeNull()
  expect(run.says('rollback').transaction.status).toBe('rolled-back')
})
