/** What a begin may say of a saga: everything wrong is named at once, each with the JSON Pointer of its place. */
import { describe, expect, it } from 'vitest'
import { testTargets } from '../../../test/coordinator/saga-run.ts'
import { isLockstepError } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'
import type { SagaDefinition } from './definition.ts'
import { plan } from './plan.ts'

type Body = Readonly<Record<string, Json>>

function issuesOf(body: Body): readonly { readonly path: string; readonly message: string }[] {
  try {
    plan(body, testTargets)
    return []
  } catch (error) {
    if (isLockstepError(error, 'LOCKSTEP_INVALID_REQUEST')) return error.issues ?? []
    throw error
  }
}

const pathsOf = (body: Body) => issuesOf(body).map(({ path }) => path)
const step = (name: string, more: Body = {}): Body => ({ name, participant: 'bar.x', ...more })
const one = (more: Body): Body => ({ steps: [step('a', more)] })
const definitionOf = (body: Body) => plan(body, testTargets).definition as SagaDefinition

describe('a begin is refused', () => {
  it.each<[string, Body, string[]]>([
    ['no steps', {}, ['/steps']],
    ['an empty list of steps', { steps: [] }, ['/steps']],
    ['steps that are no list', { steps: { a: 1 } }, ['/steps', '/steps']],
    ['501 steps', { steps: Array.from({ length: 501 }, (_, at) => step(`s${at}`)) }, ['/steps']],
    ['a step that is no object', { steps: ['debit', null, []] }, ['/steps/0', '/steps/1', '/steps/2']],
    ['a step without a name', { steps: [{ participant: 'bar.x' }] }, ['/steps/0/name']],
    ['a name that is no text', { steps: [step(7 as never)] }, ['/steps/0/name']],
    ['a name with a leading underscore', { steps: [step('_local')] }, ['/steps/0/name']],
    ['a name of 65 characters', { steps: [step('x'.repeat(65))] }, ['/steps/0/name']],
    ['a name with a slash', { steps: [step('a/b')] }, ['/steps/0/name']],
    ['a repeated name', { steps: [step('a'), step('b'), step('a')] }, ['/steps/2/name']],
    ['an unknown key', one({ retries: 3, 'a/b~c': 1 }), ['/steps/0/retries', '/steps/0/a~1b~0c']],
    ['an unknown `after`', one({ after: ['nobody'] }), ['/steps/0/after/0']],
    ['an `after` that is no name', one({ after: [0, null] }), ['/steps/0/after/0', '/steps/0/after/1']],
    ['an `after` that is no list', one({ after: 'a' }), ['/steps/0/after']],
    ['a step after itself', one({ after: ['a'] }), ['/steps/0/after/0']],
    ['a circle of two', { steps: [step('a', { after: ['b'] }), step('b', { after: ['a'] })] }, ['/steps/0/after']],
    ['a circle behind a good step', { steps: [step('a'), step('b', { after: ['c'] }), step('c')] }, ['/steps/1/after']],
    ['neither participant nor action', { steps: [{ name: 'a' }] }, ['/steps/0']],
    ['both participant and action', one({ action: 'http://x/y' }), ['/steps/0']],
    ['only a compensation', { steps: [{ name: 'a', compensate: 'http://x/y' }] }, ['/steps/0']],
    ['a participant with a compensation', one({ compensate: 'http://x/y' }), ['/steps/0/compensate']],
    [
      'a bad target',
      { steps: [{ name: 'a', action: 'ftp:x', compensate: '/y' }] },
      ['/steps/0/action', '/steps/0/compensate'],
    ],
    ['a bad participant', { steps: [{ name: 'a', participant: 'nodot' }] }, ['/steps/0/participant']],
    ['a target that is no text', { steps: [{ name: 'a', action: 5 }] }, ['/steps/0/action', '/steps/0']],
    ['a retry that is no object', one({ retry: 3 }), ['/steps/0/retry']],
    ['a retry with an unknown key', one({ retry: { max: 3 } }), ['/steps/0/retry/max']],
    ['`concurrent` that is no boolean', { steps: [step('a')], concurrent: 'yes' }, ['/concurrent']],
  ])('%s', (_, body, paths) => expect(pathsOf(body)).toEqual(paths))

  it.each([0, -1, 1.5, 1_000_001, Number.NaN, Number.POSITIVE_INFINITY, '3', null])('a retry limit of %s', (limit) => {
    expect(pathsOf(one({ retry: { limit } }))).toEqual(['/steps/0/retry/limit'])
  })
  it.each([0, -1, Number.NaN, 3_600_001, '2h', 1.5, '10', '1e3s', true, null])('a timeout of %s', (timeout) => {
    expect(pathsOf(one({ timeout }))).toEqual(['/steps/0/timeout'])
  })
  it.each([0, -5, 3 * 86_400_000 + 1, '4d', Number.NaN, 'soon', '0s', [], null])('a deadline of %s', (deadline) => {
    expect(pathsOf({ steps: [step('a')], deadline })).toEqual(['/deadline'])
  })
})

describe('a reference to an output is refused', () => {
  const refers = (reference: Json, more: Body = {}): Body => ({
    steps: [step('a'), step('b', { input: { x: [reference] }, ...more })],
  })
  it.each<[string, Body]>([
    ['to a step that is not there', refers({ $output: 'nobody', path: '/x' })],
    ['to the step itself', refers({ $output: 'b', path: '/x' })],
    ['to a step that does not come before', refers({ $output: 'a', path: '/x' }, { after: [] })],
    ['with a pointer that does not start with a slash', refers({ $output: 'a', path: 'x' })],
    ['with a tilde that stands for nothing', refers({ $output: 'a', path: '/a~2b' })],
    ['with a tilde at the end', refers({ $output: 'a', path: '/a~' })],
  ])('%s', (_, body) => expect(pathsOf(body)).toEqual(['/steps/1/input/x/0']))

  it('to a later step', () => {
    const steps = [step('a', { input: { $output: 'b', path: '' } }), step('b')]
    expect(pathsOf({ steps })).toEqual(['/steps/0/input'])
  })
  it('at a key with a slash and a tilde, which its place names', () => {
    const input = { 'a/b': { '~': { $output: 'nobody', path: '' } } }
    expect(pathsOf({ steps: [step('a', { input })] })).toEqual(['/steps/0/input/a~1b/~0'])
  })
  it('also when something else is wrong: all issues come at once', () => {
    const steps = [
      step('a', { timeout: 0, after: ['nobody'] }),
      step('b', { input: { $output: 'c', path: '' }, retry: { limit: 0 } }),
      { name: 'c' },
      'no step',
    ]
    const paths = pathsOf({ steps, deadline: -1, concurrent: 1 })
    expect([...paths].sort()).toEqual([
      '/concurrent',
      '/deadline',
      '/steps/0/after/0',
      '/steps/0/timeout',
      '/steps/1/input',
      '/steps/1/retry/limit',
      '/steps/2',
      '/steps/3',
    ])
  })
})

describe('what is good', () => {
  it('500 steps are', () => {
    expect(definitionOf({ steps: Array.from({ length: 500 }, (_, at) => step(`s${at}`)) }).steps.at(-1)?.after).toEqual(
      [498],
    )
  })
  it('a step follows the one before it, with `concurrent` none, with `after` exactly those', () => {
    const steps = [step('a'), step('b'), step('c', { after: ['a'] }), step('d', { after: [] })]
    const orders = (body: Body) => definitionOf(body).steps.map(({ after }) => after)
    expect(orders({ steps })).toEqual([[], [0], [0], []])
    expect(orders({ steps, concurrent: true })).toEqual([[], [], [0], []])
  })
  it('a step may come after one that is listed later', () => {
    expect(definitionOf({ steps: [step('a', { after: ['b'] }), step('b', { after: [] })] }).steps[0]?.after).toEqual([
      1,
    ])
  })
  it('a name that stands twice in `after` counts once', () => {
    const after = Array.from({ length: 50_000 }, () => 'a')
    expect(definitionOf({ steps: [step('a'), step('b', { after })] }).steps[1]?.after).toEqual([0])
  })
  it('a reference may reach over any number of steps', () => {
    const steps = [step('a'), step('b'), step('c', { input: { $output: 'a', path: '' } })]
    expect(definitionOf({ steps }).steps[2]?.references).toEqual([0])
  })
  it.each([
    [1, 1],
    ['250ms', 250],
    [3_600_000, 3_600_000],
    ['1h', 3_600_000],
  ])('a timeout of %s', (timeout, ms) => expect(definitionOf(one({ timeout })).steps[0]?.timeoutMs).toBe(ms))
  it('10 s are the timeout unless given, and nothing limits the attempts', () => {
    expect(definitionOf(one({})).steps[0]).toMatchObject({ timeoutMs: 10_000, retryLimit: null })
  })
  it('three days are a deadline, and none is the default', () => {
    expect(plan({ steps: [step('a')], deadline: '3d' }, testTargets).deadlineMs).toBe(3 * 86_400_000)
    expect(plan({ steps: [step('a')] }, testTargets).deadlineMs).toBeNull()
  })
  it('what an instance must reach: each service once, sorted, no URL', () => {
    const steps = [
      step('a', { participant: 'zoo.x' }),
      step('b'),
      { name: 'c', action: 'http://u/x', compensate: 'bar.y' },
    ]
    expect(plan({ steps }, testTargets).needs).toEqual(['bar', 'zoo'])
  })
})
