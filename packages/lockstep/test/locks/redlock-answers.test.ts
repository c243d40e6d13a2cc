/** What RedLock answers when masters refuse, answer nobody, or split their votes. */
import { describe, expect, test } from 'vitest'
import type { LockHold } from '../../src/ports/index.ts'
import { type Asked, askOf, Masters } from './redlock-masters.ts'

/** A promise whose end the test may look at, while the time is moved by hand. */
function watched<Value>(promise: Promise<Value>): { result: Value | undefined; error: unknown; isOver: boolean } {
  const seen: { result: Value | undefined; error: unknown; isOver: boolean } = {
    result: undefined,
    error: undefined,
    isOver: false,
  }
  promise.then(
    (result) => Object.assign(seen, { result, isOver: true }),
    (error) => Object.assign(seen, { error, isOver: true }),
  )
  return seen
}

async function granted(masters: Masters, contending: Promise<LockHold | null>): Promise<LockHold> {
  const asked = watched(contending)
  await masters.time.until(() => asked.isOver, 1_000)
  if (!asked.result) throw new Error('it was not granted')
  return asked.result
}

describe('RedLock', () => {
  const passwordMasters = (count: number) => (asked: Asked) =>
    asked.master < count ? { refusal: 'WRONGPASS invalid username-password pair' } : {}

  test.each([0, 60_000])(
    'a wrong password on a majority fails at once, with the reason of each: wait %d',
    async (waitMs) => {
      const masters = new Masters()
      masters.fateOf = passwordMasters(3)
      const asked = watched(masters.open().backend.contend(askOf({ waitMs })))
      await masters.time.advance(20)
      expect(asked.error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION', outcome: 'not-applied', retriable: false })
      const { causes } = (asked.error as { details: { causes: readonly string[] } }).details
      expect(causes).toEqual(
        [0, 1, 2].map((at) => `master ${at}: Redis refuses: WRONGPASS invalid username-password pair`),
      )
      await masters.time.advance(100)
      expect(masters.owners('sku')).toEqual([null, null, null, null, null])
    },
  )

  test('the last one of the masters with a wrong password may answer behind those that settled the vote', async () => {
    const masters = new Masters()
    // Two are held by somebody, so that two refusals settle it.
    masters.fateOf = ({ master }) => (master >= 2 ? { isLost: true } : {})
    void masters
      .open()
      .backend.contend(askOf({ owner: 'minority' }))
      .catch(() => undefined)
    await masters.time.advance(10)
    masters.fateOf = (asked) =>
      asked.master < 2
        ? {}
        : { refusal: 'NOPERM no rights', ...(asked.master === 4 && { executed: masters.pause(20) }) }
    const asked = watched(masters.open({ nodeTimeout: 50 }).backend.contend(askOf({ waitMs: 60_000 })))
    await masters.time.advance(40)
    expect(asked.error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
  })

  test('a wrong password on a minority is nobody’s error, and masters that are away may come back', async () => {
    const masters = new Masters()
    masters.fateOf = passwordMasters(2)
    const hold = await granted(masters, masters.open().backend.contend(askOf()))
    expect(hold.token).toBeGreaterThan(0n)
    masters.away.add(4)
    const asked = watched(masters.open().backend.contend(askOf({ name: 'other', waitMs: 60_000 })))
    await masters.time.advance(1_000)
    expect(asked.isOver).toBe(false)
    masters.away.clear()
    await masters.time.until(() => asked.isOver, 2_000)
    expect(asked.result).not.toBeNull()
  })

  test('a wrong password is told by whatever else asks a majority', async () => {
    const masters = new Masters()
    const { backend } = masters.open()
    const hold = await granted(masters, backend.contend(askOf()))
    masters.fateOf = passwordMasters(3)
    const all = [hold.extend(10_000), hold.release(), backend.inspect('sku')].map((one) => watched<unknown>(one))
    await masters.time.advance(50)
    for (const { error } of all) expect(error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
  })

  test('what was sent and not answered may have been applied; what was not sent was not', async () => {
    const masters = new Masters()
    const { backend } = masters.open()
    const hold = await granted(masters, backend.contend(askOf()))
    const outcomes = async (): Promise<unknown[]> => {
      const calls = [
        backend.contend(askOf({ name: 'other' })),
        hold.extend(10_000),
        hold.release(),
        backend.inspect('sku'),
      ]
      const all = calls.map((one) => watched<unknown>(one))
      await masters.time.advance(2_000)
      return all.map(({ error }) => (error as { code: string; outcome: string }).outcome)
    }
    masters.fateOf = ({ master }) => (master < 3 ? { isLost: true } : {})
    expect(await outcomes()).toEqual(['unknown', 'unknown', 'unknown', 'unknown'])
    masters.away.add(0).add(1).add(2)
    expect(await outcomes()).toEqual(['not-applied', 'not-applied', 'not-applied', 'not-applied'])
  })

  test('an extension that is answered when it has run out may have been applied', async () => {
    const masters = new Masters()
    const hold = await granted(masters, masters.open({ nodeTimeout: 500 }).backend.contend(askOf()))
    masters.fateOf = () => ({ answered: masters.pause(200) })
    const extending = watched(hold.extend(100))
    await masters.time.advance(300)
    expect(extending.error).toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE', outcome: 'unknown' })
  })

  test('of three tries at once on a free name one is granted: null means that somebody holds it', async () => {
    const masters = new Masters()
    const all = Array.from({ length: 3 }, () => masters.open().backend)
    for (const [at, backend] of all.entries()) {
      const warm = await granted(masters, backend.contend(askOf({ name: `warm ${at}` })))
      const releasing = watched(warm.release())
      await masters.time.until(() => releasing.isOver, 100)
    }
    // The first tries split the votes: two, two and one.
    const first = [[0, 1], [2, 3], [4]]
    masters.fateOf = ({ master, args }) => {
      const asker = /^\["(\d)\.0"/.exec(args[0] ?? '')?.[1]
      return asker === undefined || first[Number(asker)]?.includes(master) ? {} : { executed: masters.pause(1) }
    }
    const startedMs = masters.time.nowMs
    const tries = all.map((backend, at) => watched(backend.contend(askOf({ owner: String(at) }))))
    await masters.time.until(() => tries.every(({ isOver }) => isOver), 1_000)
    expect(tries.filter(({ result }) => result)).toHaveLength(1)
    expect(tries.filter(({ result }) => result === null)).toHaveLength(2)
    expect(masters.time.nowMs - startedMs).toBeLessThan(100)
  })

  const triesOf = (masters: Masters, owner: string): number =>
    masters.asked.filter(({ args }) => args[0]?.includes(`${owner}.`) && args[1] !== '').length

  test('a vote that stays split is answered after two more rounds', async () => {
    const masters = new Masters()
    // Each of the two is heard by two masters, and its release by none.
    for (const at of [0, 1]) {
      const isReached = (asked: Asked): boolean => Math.floor(asked.master / 2) === at && !asked.lua.includes('PUBLISH')
      masters.fateOf = (asked) => (isReached(asked) ? {} : { executed: new Promise(() => {}) })
      const { backend } = masters.open()
      void backend.contend(askOf({ owner: `gone ${at}` })).catch(() => undefined)
      await masters.time.advance(10)
    }
    masters.fateOf = () => ({})
    expect(masters.owners('sku').filter((owner) => owner !== null)).toHaveLength(4)
    const late = watched(masters.open().backend.contend(askOf({ owner: 'late' })))
    await masters.time.until(() => late.isOver, 100)
    expect([late.result, triesOf(masters, 'late')]).toEqual([null, 15])
  })

  test('of a name that somebody holds a try asks once', async () => {
    const masters = new Masters()
    await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
    const asked = watched(masters.open().backend.contend(askOf({ owner: 'once' })))
    await masters.time.until(() => asked.isOver, 100)
    expect([asked.result, triesOf(masters, 'once')]).toEqual([null, 5])
  })
})
