/** A receiver has said no to a committed message: the producer is told by a linked message, once. */
import { describe, expect, it } from 'vitest'
import { deliveries, MessageRun } from '../../../test/coordinator/message-run.ts'

type Specs = Parameters<typeof deliveries>[1]
const committed = (letters: string, more: Specs = {}) => new MessageRun(deliveries(letters, more)).commit()
const telling = { a: { escalate: 'orders.undo' } }

describe('a receiver that says no is told to the producer', () => {
  it('by a linked message, already decided, that names what it is about', () => {
    const run = committed('a', telling).refused('a', { code: 'closed' })
    expect(run.show()).toBe('committing [refused] | next 600000')
    expect(run.commands).toEqual([
      { kind: 'alert', alert: 'branch-stuck', detail: 'a: {"code":"closed"}' },
      {
        kind: 'begin',
        branch: 'a',
        body: {
          pattern: 'message',
          deliveries: [
            {
              name: 'undo',
              to: 'orders.undo',
              payload: { transaction: 'order-42', delivery: 'a', input: { order: 7 }, payload: { to: 'a' } },
            },
          ],
          labels: { 'escalation-of': 'order-42' },
        },
      },
    ])
  })
  it('is asked for once', () => {
    expect(committed('ab', telling).refused('a').woke().done('b').begins()).toEqual([])
  })
  it('ends committed and incomplete once that is begun', () => {
    const run = committed('a', telling).refused('a').begun('a')
    expect(run.show()).toBe('committed [refused] | next -')
    expect(run.describe()).toMatchObject({ incomplete: true, output: {}, branches: [{ state: 'refused' }] })
  })
  it('waits for the other deliveries', () => {
    const run = committed('ab', telling).refused('a').begun('a')
    expect(run.show()).toBe('committing [refused active] | next 600000')
    expect(run.done('b').show()).toBe('committed [refused done] | next -')
  })
  it('is asked for again after a claim, until it is begun', () => {
    const run = committed('a', telling).refused('a')
    expect(run.claim().begins()).toEqual(['a'])
    expect(run.takeover().begins()).toEqual(['a'])
    expect(run.begun('a').claim().begins()).toEqual([])
  })
  it('leaves no attempt of a takeover: nothing was called', () => {
    expect(committed('a', telling).refused('a').takeover().attempts()).toEqual(['a.deliver#1 {"code":"no"}'])
  })
  it('is kept back by a hold, and asked for with the resume', () => {
    const run = committed('a', telling).hold().refused('a')
    expect([run.begins(), run.show()]).toEqual([[], 'committing held:operator [refused] | next -'])
    expect(run.resume().begins()).toEqual(['a'])
  })
  it('that cannot be begun is a matter for a person, with both reasons', () => {
    const run = committed('ab', telling).refused('a').begun('a', 'the id is taken').done('b')
    expect(run.transaction.held).toMatchObject({
      reason: 'delivery-refused',
      detail: 'a, and its escalation cannot be begun: the id is taken',
    })
  })
  it('and then a resume delivers again, and tells again when it is refused again', () => {
    const run = committed('a', telling).refused('a').begun('a', 'no').resume()
    expect(run.calls()).toEqual(['a.deliver#2 status'])
    expect(run.refused('a').begins()).toEqual(['a'])
  })
  it.each([
    ['that nobody asked for', () => committed('a', telling), 'a'],
    ['of a delivery that there is not', () => committed('a', telling), 'z'],
    ['that was begun before', () => committed('ab', telling).refused('a').begun('a'), 'a'],
  ] as const)('the news of one %s changes nothing', (_, made, branch) => {
    const run = made()
    const before = run.transaction
    run.begun(branch, 'too late')
    expect([run.transaction.state, run.commands]).toEqual([before.state, []])
  })
  it('skipped before it was begun, nobody is told any more', () => {
    const run = committed('ab', telling)
      .refused('a')
      .hold()
      .letGo()
      .feed({
        kind: 'act',
        action: 'skip',
        branch: 'a',
        reason: 'settled by phone',
        claim: { takeover: true },
      })
    expect([run.begins(), run.show()]).toEqual([[], 'committing [skipped active] | b.deliver#2 status | next 600001'])
    expect(run.begun('a', 'too late').done('b').show()).toBe('committed [skipped done] | next -')
  })
})
