/** What a begin and a registration may say of a TCC: everything wrong is named at once, each with the JSON Pointer of its place. */
import { describe, expect, it } from 'vitest'
import { testTargets } from '../../../test/coordinator/pattern-run.ts'
import { isLockstepError } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'
import type { TccBranch } from './definition.ts'
import { tccPattern } from './index.ts'

type Body = Readonly<Record<string, Json>>

function pathsOf(work: () => unknown, code = 'LOCKSTEP_INVALID_REQUEST'): readonly string[] {
  try {
    work()
    return []
  } catch (error) {
    if (isLockstepError(error) && error.code === code) return (error.issues ?? []).map(({ path }) => path)
    throw error
  }
}

const planned = (body: Body) => tccPattern.plan(body, testTargets)
const branch = (body: Body) => tccPattern.planBranch(body, testTargets)
const named = (more: Body): Body => ({ name: 'a', ...more })
const urls = { confirm: 'http://x/confirm', cancel: 'http://x/cancel' }

describe('a begin', () => {
  it.each([0, -5, 3 * 86_400_000 + 1, '4d', '0s', Number.NaN, 1.5, '10', 'soon', true, [], null])(
    'with a deadline of %s is refused',
    (deadline) => {
      expect(pathsOf(() => planned({ deadline }))).toEqual(['/deadline'])
    },
  )
  it.each<[Json, number]>([
    [1, 1],
    [3 * 86_400_000, 3 * 86_400_000],
    ['90s', 90_000],
    ['3d', 3 * 86_400_000],
  ])('may have a deadline of %s', (deadline, deadlineMs) => expect(planned({ deadline }).deadlineMs).toBe(deadlineMs))
  it('has a deadline of 60 s when it names none: silence means rollback', () => {
    expect(planned({}).deadlineMs).toBe(60_000)
  })
  it('begins empty and undecided, needs nobody, and rests until its deadline', () => {
    expect(planned({ deadline: 5_000 })).toEqual({
      definition: { branches: [] },
      state: { branches: [] },
      status: 'prepared',
      needs: [],
      deadlineMs: 5_000,
      restsMs: 5_000,
    })
  })
  it('knows no key of its own but the deadline: its branches are registered', () => {
    expect(tccPattern.bodyKeys).toEqual(['deadline'])
  })
})

describe('a registration is refused', () => {
  it.each<[string, Body, string[]]>([
    ['with nothing in it', {}, ['/name', '/confirm', '/cancel']],
    ['without a name', { participant: 'bar.x' }, ['/name']],
    ['with a name that is no text', { name: 7, participant: 'bar.x' }, ['/name']],
    ['with an empty name', { name: '', participant: 'bar.x' }, ['/name']],
    ['with a name of 65 characters', { name: 'x'.repeat(65), participant: 'bar.x' }, ['/name']],
    ['with a leading underscore', { name: '_local', participant: 'bar.x' }, ['/name']],
    ['with a slash in its name', { name: 'a/b', participant: 'bar.x' }, ['/name']],
    ['with a name that a URL swallows', { name: '..', participant: 'bar.x' }, ['/name']],
    ['with neither participant nor URLs', named({}), ['/confirm', '/cancel']],
    ['with the confirm missing', named({ cancel: urls.cancel }), ['/confirm']],
    ['with the cancel missing', named({ confirm: urls.confirm }), ['/cancel']],
    ['with participant and both URLs', named({ participant: 'bar.x', ...urls }), ['/participant']],
    ['with participant and confirm', named({ participant: 'bar.x', confirm: urls.confirm }), ['/participant']],
    ['with participant and cancel', named({ participant: 'bar.x', cancel: urls.cancel }), ['/participant']],
    ['with a URL as participant', named({ participant: 'http://x/y' }), ['/participant']],
    ['with a participant that is none', named({ participant: 'nodot' }), ['/participant']],
    ['with a participant that is no text', named({ participant: 5 }), ['/participant', '/confirm', '/cancel']],
    ['with URLs that are none', named({ confirm: 'ftp:x', cancel: '/y' }), ['/confirm', '/cancel']],
    ['with a `resolve`, which is for XA', named({ ...urls, resolve: 'http://x/y' }), ['/resolve']],
    ['with a `try`, which the initiator calls', named({ participant: 'bar.x', try: 'http://x/y' }), ['/try']],
    ['with any unknown key', named({ participant: 'bar.x', 'a/b~c': 1, timeout: 5 }), ['/a~1b~0c', '/timeout']],
    [
      'with everything wrong',
      { name: '.', participant: 'http://x', confirm: 1, resolve: 2 },
      ['/resolve', '/name', '/confirm', '/participant'],
    ],
  ])('%s', (_, body, paths) => expect(pathsOf(() => branch(body))).toEqual(paths))
  it('with a URL under no registered service, by a code of its own', () => {
    const body = named({ ...urls, confirm: 'http://banned/x' })
    expect(pathsOf(() => branch(body), 'LOCKSTEP_URL_NOT_ALLOWED')).toEqual(['/confirm'])
  })
})

describe('a registration', () => {
  it('by participant uses it for both, and needs its service', () => {
    expect(branch(named({ participant: 'bar.seats', input: { seat: '4A' } }))).toEqual({
      name: 'a',
      work: { name: 'a', confirm: 'bar.seats', cancel: 'bar.seats', input: { seat: '4A' }, characters: 13 },
      needs: ['bar'],
    })
  })
  it('by URLs keeps them as they are', () => {
    expect(branch(named(urls))).toMatchObject({ work: { ...urls, input: null }, needs: [] })
  })
  it.each(['x'.repeat(64), 'a.b:c~d-e_f', '0'])('may be named %s', (name) => {
    expect((branch({ name, participant: 'bar.x' }).work as TccBranch).name).toBe(name)
  })
})
