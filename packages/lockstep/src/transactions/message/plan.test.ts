/** What a begin may say of a message: everything wrong is named at once, each with the JSON Pointer of its place. */
import { describe, expect, it } from 'vitest'
import { testTargets } from '../../../test/coordinator/pattern-run.ts'
import { isLockstepError } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'
import type { MessageDefinition } from './definition.ts'
import { messagePattern } from './index.ts'

type Body = Readonly<Record<string, Json>>

const minute = 60_000
const day = 86_400_000

function pathsOf(body: Body, code = 'LOCKSTEP_INVALID_REQUEST'): readonly string[] {
  try {
    messagePattern.plan(body, testTargets)
    return []
  } catch (error) {
    if (isLockstepError(error) && error.code === code) return (error.issues ?? []).map(({ path }) => path)
    throw error
  }
}

const planned = (body: Body) => messagePattern.plan(body, testTargets)
const definitionOf = (body: Body) => planned(body).definition as MessageDefinition
const to = (more: Body = {}): Body => ({ to: 'bar.x', ...more })
const one = (more: Body): Body => ({ deliveries: [to(more)] })
const checked = (more: Body = {}): Body => ({ checkBack: 'orders', deliveries: [to()], ...more })

describe('a begin is refused', () => {
  it.each<[string, Body, string[]]>([
    ['without deliveries', {}, ['/deliveries']],
    ['with an empty list of them', { deliveries: [] }, ['/deliveries']],
    ['with deliveries that are no list', { deliveries: { a: 1 } }, ['/deliveries', '/deliveries']],
    ['with 501 deliveries', { deliveries: Array.from({ length: 501 }, () => to()) }, ['/deliveries']],
    [
      'with deliveries that are no objects',
      { deliveries: ['bar.x', null, []] },
      ['/deliveries/0', '/deliveries/1', '/deliveries/2'],
    ],
    ['with a delivery to nobody', { deliveries: [{}] }, ['/deliveries/0/to']],
    ['with a receiver that is no text', { deliveries: [{ to: 5 }] }, ['/deliveries/0/to']],
    ['with a receiver that is no target', one({ to: 'ftp:x' }), ['/deliveries/0/to']],
    ['with a broker that nobody has configured', one({ to: 'rabbitmq:order-paid' }), ['/deliveries/0/to']],
    ['with an escalation that is no target', one({ escalate: 'nodot' }), ['/deliveries/0/escalate']],
    ['with an escalation that is no text', one({ escalate: true }), ['/deliveries/0/escalate']],
    ['with a name that is no text', one({ name: 7 }), ['/deliveries/0/name']],
    ['with an empty name', one({ name: '' }), ['/deliveries/0/name']],
    ['with the name of the check', one({ name: '_local' }), ['/deliveries/0/name']],
    ['with a name of 65 characters', one({ name: 'x'.repeat(65) }), ['/deliveries/0/name']],
    [
      'with names that repeat each other',
      { deliveries: [to({ name: 'a' }), to({ name: 'b' }), to({ name: 'a' })] },
      ['/deliveries/2/name'],
    ],
    ['with a name that is the place of another', { deliveries: [to({ name: '2' }), to()] }, ['/deliveries/1/name']],
    ['with an unknown key in a delivery', one({ 'a/b~c': 1, ack: {} }), ['/deliveries/0/a~1b~0c', '/deliveries/0/ack']],
    ['with a deadline: silence decides nothing', checked({ deadline: 60_000 }), ['/deadline']],
    ['with a check-back that is no text', checked({ checkBack: 5 }), ['/checkBack']],
    ['with a check-back that is a participant', checked({ checkBack: 'bar.x' }), ['/checkBack']],
    ['with a check-back that is no URL', checked({ checkBack: 'ftp://x' }), ['/checkBack']],
    ['with a `checkAfter` and nobody to ask', { deliveries: [to()], checkAfter: 5 }, ['/checkAfter']],
    [
      'with everything wrong',
      { deadline: 1, checkAfter: -1, deliveries: [{ name: '.', delay: 'soon' }] },
      ['/deadline', '/checkAfter', '/checkAfter', '/deliveries/0/name', '/deliveries/0/to', '/deliveries/0/delay'],
    ],
  ])('%s', (_, body, paths) => expect(pathsOf(body)).toEqual(paths))

  it.each([-1, 1.5, '13h', day / 2 + 1, day, Number.NaN, '10', 'soon', true, null])(
    'with a `checkAfter` of %s',
    (checkAfter) => {
      expect(pathsOf(checked({ checkAfter }))).toEqual(['/checkAfter'])
    },
  )
  it.each([-1, 1.5, '8d', 7 * day + 1, Number.NaN, '10', true, null])('with a delay of %s', (delay) => {
    expect(pathsOf(one({ delay }))).toEqual(['/deliveries/0/delay'])
  })
  it('with a URL under no registered service, by a code of its own', () => {
    const banned = 'http://banned/x'
    const body = checked({ checkBack: banned, deliveries: [to({ to: banned, escalate: banned })] })
    const paths = ['/checkBack', '/deliveries/0/to', '/deliveries/0/escalate']
    expect(pathsOf(body, 'LOCKSTEP_URL_NOT_ALLOWED')).toEqual(paths)
  })
})

describe('a message', () => {
  it('names its deliveries by their place, from 1 on, where they have no name', () => {
    const { deliveries } = definitionOf({ deliveries: [to(), to({ name: 'points' }), to()] })
    expect(deliveries.map(({ name }) => name)).toEqual(['1', 'points', '3'])
  })
  it('keeps all that a delivery says', () => {
    const given = to({ name: 'a', payload: { n: 1 }, delay: '2s', escalate: 'pln.undo' })
    expect(definitionOf({ deliveries: [given] }).deliveries).toEqual([
      { name: 'a', to: 'bar.x', payload: { n: 1 }, delayMs: 2_000, escalate: 'pln.undo' },
    ])
  })
  it('fills in what a delivery does not say', () => {
    expect(definitionOf(one({})).deliveries).toEqual([
      { name: '1', to: 'bar.x', payload: null, delayMs: 0, escalate: null },
    ])
  })
  it.each<[Json, number]>([
    [0, 0],
    ['7d', 7 * day],
  ])('may delay a delivery by %s', (delay, delayMs) => {
    expect(definitionOf(one({ delay })).deliveries[0]?.delayMs).toBe(delayMs)
  })
  it('may have 500 deliveries, and no more', () => {
    expect(definitionOf({ deliveries: Array.from({ length: 500 }, () => to()) }).deliveries).toHaveLength(500)
  })
  it('begins undecided, with nobody asked and nothing sent', () => {
    expect(planned(checked())).toMatchObject({ status: 'prepared', deadlineMs: null, restsMs: 2_000 })
    expect(planned(checked()).state).toMatchObject({ hurried: false, deliveries: [{ state: 'waiting', dueAt: null }] })
  })
  it.each<[Json, number]>([
    [0, 0],
    [500, 500],
    ['5s', 5_000],
  ])('rests until its check, which may come after %s', (checkAfter, ms) => {
    expect(planned(checked({ checkAfter }))).toMatchObject({ restsMs: ms, definition: { checkAfterMs: ms } })
  })
  it('is checked after 2 s unless it says otherwise', () => {
    expect(definitionOf(checked())).toMatchObject({ checkBack: 'orders', checkAfterMs: 2_000 })
  })
  it('without a check-back rests until its age is told', () => {
    expect(planned({ deliveries: [to()] })).toMatchObject({ restsMs: 10 * minute, definition: { checkBack: null } })
  })
  it('whose check comes late rests no longer than until its age is told', () => {
    expect(planned(checked({ checkAfter: '1h' })).restsMs).toBe(10 * minute)
  })
  it('may be checked half a day after its begin at the latest: a day after it, it is held as undecided', () => {
    expect(definitionOf(checked({ checkAfter: '12h' })).checkAfterMs).toBe(day / 2)
  })
  it('may be checked at a URL', () => {
    expect(definitionOf(checked({ checkBack: 'http://orders/check' })).checkBack).toBe('http://orders/check')
  })
  it('needs whom it delivers to and whom it asks, each once; an escalation is another transaction', () => {
    const deliveries = [to(), to({ to: 'pln.y', escalate: 'esc.z' }), to({ to: 'http://x/y' })]
    expect(planned(checked({ deliveries })).needs).toEqual(['bar', 'orders', 'pln'])
  })
  it('takes no branch later', () => {
    const register = () => messagePattern.planBranch({ name: 'a', participant: 'bar.x' }, testTargets)
    expect(register).toThrow(expect.objectContaining({ code: 'LOCKSTEP_ACTION_NOT_ALLOWED' }))
  })
  it('has keys of its own, a deadline among them so that it is refused with its reason', () => {
    expect(messagePattern.bodyKeys).toEqual(['checkBack', 'checkAfter', 'deliveries', 'deadline'])
  })
})
