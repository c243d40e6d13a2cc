/** What happens between two answers of RedLock: an abort, a close, a second extension, a release. */
import { describe, expect, test } from 'vitest'
import type { LockHold } from '../../src/ports/index.ts'
import { askOf, Masters } from './redlock-masters.ts'

const releases = 'PUBLISH'

async function granted(masters: Masters, contending: Promise<LockHold | null>): Promise<LockHold> {
  let hold: LockHold | null = null
  void contending.then((given) => {
    hold = given
  })
  await masters.time.until(() => hold !== null, 1_000)
  return hold as unknown as LockHold
}

async function released(masters: Masters, hold: LockHold): Promise<boolean> {
  const releasing = hold.release()
  await masters.time.advance(5)
  return releasing
}

describe('RedLock', () => {
  test('close gives back what an ask was granted that was under way', async () => {
    const masters = new Masters()
    const { backend, timers } = masters.open()
    await released(masters, await granted(masters, backend.contend(askOf({ owner: 'first' }))))
    const asked = backend.contend(askOf({ name: 'other' })).catch((error) => error.code)
    await masters.time.advance(0.6)
    expect(masters.owners('other')).not.toContain(null)
    const closed = backend.close()
    await masters.time.advance(100)
    await closed
    expect(await asked).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    expect(masters.owners('other')).toEqual([null, null, null, null, null])
    expect(timers()).toBe(0)
  })

  test.each(['close', 'abort'] as const)(
    '%s ends the sleep of a waiter at once, and no timer of it is left',
    async (how) => {
      const masters = new Masters()
      await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
      const waiter = masters.open()
      const giving = new AbortController()
      let ended = ''
      void waiter.backend.contend(askOf({ waitMs: 60_000, signal: giving.signal })).catch((error) => {
        ended = error.code ?? error.message
      })
      await masters.time.advance(50)
      const closed = how === 'close' ? waiter.backend.close() : giving.abort(new Error('not any more'))
      await masters.time.settle()
      expect(ended).toBe(how === 'close' ? 'LOCKSTEP_LOCK_UNAVAILABLE' : 'not any more')
      if (how === 'abort') await masters.time.advance(2_000)
      await closed
      expect([waiter.timers(), masters.subscribed.size]).toEqual([0, 0])
    },
  )

  test.each(['close', 'abort'] as const)('%s does not wait for a subscription', async (how) => {
    const masters = new Masters()
    masters.acknowledges = false
    await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
    const waiter = masters.open()
    const giving = new AbortController()
    let ended = ''
    void waiter.backend.contend(askOf({ waitMs: 60_000, signal: giving.signal })).catch((error) => {
      ended = error.code ?? error.message
    })
    await masters.time.advance(20)
    if (how === 'close') void waiter.backend.close()
    else giving.abort(new Error('not any more'))
    await masters.time.settle()
    expect(ended).toBe(how === 'close' ? 'LOCKSTEP_LOCK_UNAVAILABLE' : 'not any more')
    if (how === 'close') expect(waiter.timers()).toBe(0)
    masters.acknowledges = true
    await masters.time.advance(2_000)
    expect([waiter.timers(), masters.subscribed.size]).toEqual([0, 0])
  })

  test('a release wakes who waits once, however many masters tell of it', async () => {
    const masters = new Masters()
    const holder = await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
    void masters
      .open()
      .backend.contend(askOf({ owner: 'waiter', waitMs: 60_000 }))
      .catch(() => undefined)
    const other = masters.open()
    await released(masters, await granted(masters, other.backend.contend(askOf({ name: 'warm' }))))
    await masters.time.advance(40)
    const tries = (): number => masters.asked.filter(({ args }) => args[0]?.includes('waiter.')).length
    const before = tries()
    const releasing = holder.release()
    // Comes behind the release and before the waiter, which finds it held once more.
    await granted(masters, other.backend.contend(askOf({ owner: 'other' })))
    await releasing
    await masters.time.advance(10)
    // Five acquires, and five releases of what they may have been granted.
    expect(tries() - before).toBe(10)
  })

  test('masters that are slow to release wake who waits once more when they have', async () => {
    const masters = new Masters()
    const holder = await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
    const waiting = masters.open().backend.contend(askOf({ owner: 'waiter', waitMs: 60_000 }))
    await masters.time.advance(400)
    masters.fateOf = ({ lua, master }) => (lua.includes(releases) && master >= 2 ? { executed: masters.pause(20) } : {})
    const releasedAtMs = masters.time.nowMs
    const releasing = holder.release()
    await granted(masters, waiting)
    expect(masters.time.nowMs - releasedAtMs).toBeLessThan(40)
    await releasing
  })

  test('a hold never outlives its masters, whichever of two extensions is answered first', async () => {
    const masters = new Masters()
    const { backend } = masters.open({ nodeTimeout: 100 })
    const hold = await granted(masters, backend.contend(askOf()))
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    masters.fateOf = ({ args }) => (args[1] === '20000' ? { answered } : args[1] === '1000' ? { isLost: true } : {})
    const long = hold.extend(20_000)
    // It is executed behind the longer one, and nobody hears of it.
    const short = hold.extend(1_000).catch((error) => error.code)
    await masters.time.advance(10)
    answer()
    await masters.time.advance(200)
    expect(await long).toBe(true)
    expect(await short).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    const believedMs = hold.validUntilMs - masters.time.nowMs
    expect(Math.min(...masters.leftMs('sku'))).toBeGreaterThanOrEqual(believedMs)
  })

  test('a master that has forgotten a hold is not asked to take it again once it is released', async () => {
    const masters = new Masters()
    const { backend, lose } = masters.open()
    const hold = await granted(masters, backend.contend(askOf()))
    masters.forget(0, 'sku')
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    masters.fateOf = ({ lua }) => (lua.startsWith('INFO') ? { answered } : {})
    const extending = hold.extend(10_000)
    await masters.time.settle()
    // It must be known anew before it is asked for a vote, and then the release is on its way already.
    lose(0)
    await masters.time.advance(3)
    await extending
    const releasing = hold.release()
    answer()
    await masters.time.advance(100)
    expect(await releasing).toBe(true)
    expect(masters.owners('sku')).toEqual([null, null, null, null, null])
  })

  test('a release that nobody answers is owed once, however often it is asked for', async () => {
    const masters = new Masters()
    const { backend } = masters.open()
    const hold = await granted(masters, backend.contend(askOf()))
    masters.fateOf = () => ({ isLost: true })
    for (let at = 0; at < 8; at++) {
      const releasing = hold.release().catch((error) => error.code)
      await masters.time.advance(250)
      expect(await releasing).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    }
    const before = masters.count(releases)
    await masters.time.advance(250)
    expect(masters.count(releases) - before).toBeLessThanOrEqual(5)
  })

  test('who comes later listens to a master that was away when the first came', async () => {
    const masters = new Masters()
    const holder = await granted(masters, masters.open().backend.contend(askOf({ owner: 'holder' })))
    const { backend } = masters.open()
    masters.away.add(0).add(1)
    void backend.contend(askOf({ owner: 'first', waitMs: 60_000 })).catch(() => undefined)
    await masters.time.advance(200)
    expect(masters.subscribed.size).toBe(3)
    masters.away.clear()
    void backend.contend(askOf({ owner: 'second', waitMs: 60_000 })).catch(() => undefined)
    await masters.time.advance(200)
    expect(masters.subscribed.size).toBe(5)
    expect(await released(masters, holder)).toBe(true)
  })

  test('who waits asks a second time when the messages were lost: a release may have been missed', async () => {
    const masters = new Masters()
    const holder = masters.open()
    const hold = await granted(masters, holder.backend.contend(askOf({ owner: 'holder' })))
    const { backend } = masters.open()
    const first = new AbortController()
    void backend.contend(askOf({ owner: 'first', waitMs: 60_000, signal: first.signal })).catch(() => undefined)
    await masters.time.advance(50)
    first.abort(new Error('not any more'))
    const lost = [0, 1, 2].map((master) => masters.loseMessages(master))
    const second = backend.contend(askOf({ owner: 'second', waitMs: 60_000 }))
    const tries = (): number =>
      masters.asked.filter(({ args }) => args[0]?.includes('second.') && args[1] !== '').length
    await masters.time.advance(4)
    expect(tries()).toBe(10)
    for (const { restore } of lost) restore()
    await masters.time.advance(20)
    // What was told meanwhile is not known.
    expect(tries()).toBe(15)
    await released(masters, hold)
    await granted(masters, second)
  })

  test('processes that wait take turns, and a turn that nobody takes any more costs little', async () => {
    const masters = new Masters()
    masters.jitter = 0.5
    const processes = Array.from({ length: 4 }, () => masters.open().backend)
    const grantedAtMs: number[] = []
    const served = [0, 0, 0, 0]
    let isOver = false
    const work = async (number: number): Promise<void> => {
      for (let at = 0; !isOver; at++) {
        const ask = askOf({
          owner: `${number}.${at}`,
          waitMs: 60_000,
          holder: { host: 'here', pid: number, label: '' },
        })
        const hold = await processes[number]?.contend(ask).catch(() => null)
        if (!hold) return
        grantedAtMs.push(masters.time.nowMs)
        served[number] = (served[number] ?? 0) + 1
        await masters.pause(5)
        await hold.release()
      }
    }
    const working = Promise.all(processes.map((_, number) => work(number)))
    await masters.time.until(() => grantedAtMs.length >= 40, 5_000)
    const before = { tries: masters.count("'NX', 'PX', ARGV[2]"), grants: grantedAtMs.length }
    await masters.time.until(() => grantedAtMs.length >= 140, 5_000)
    const tries = (masters.count("'NX', 'PX', ARGV[2]") - before.tries) / 5 / (grantedAtMs.length - before.grants)
    // Each of the others finds it held once at most: nobody asks twice for one release.
    expect(tries).toBeLessThan(4)
    expect(Math.min(...served)).toBeGreaterThan(Math.max(...served) / 2)
    const closed = processes[2]?.close()
    const goneAtMs = masters.time.nowMs
    await masters.time.until(() => grantedAtMs.length >= 240, 5_000)
    isOver = true
    await masters.time.advance(2_000)
    await Promise.all([working, closed])
    const gapsMs = grantedAtMs.slice(1).map((atMs, index) => atMs - (grantedAtMs[index] ?? 0))
    expect(grantedAtMs.filter((atMs) => atMs > goneAtMs).length).toBeGreaterThan(90)
    expect(Math.max(...gapsMs)).toBeLessThan(100)
  })
})
