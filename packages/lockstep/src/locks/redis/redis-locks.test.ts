import { describe, expect, it } from 'vitest'
import {
  type LockAsk,
  type LockBackend,
  type LockEnvironment,
  RedisCallError,
  type RedisCallFailure,
  type RedisConnector,
  type RedisListener,
  type RedisReply,
  silentLogger,
} from '../../ports/index.ts'
import { mutexScripts, mutexTogether } from './mutex-scripts.ts'
import { redisLocks } from './redis-locks.ts'

const scriptNames = new Map(
  Object.entries({ ...mutexScripts, together: mutexTogether }).map(([name, script]) => [script, name]),
)

interface SentCall {
  readonly name: string
  readonly args: readonly string[]
  answer(reply: RedisReply): Promise<void>
  fail(failure: RedisCallFailure, reply?: string): Promise<void>
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await Promise.resolve()
}

/** A clock that stands still until the test moves it. */
function standingTime() {
  const timers = new Set<{ atMs: number; fire: () => void }>()
  let nowMs = 0
  const environment: LockEnvironment = {
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after(delayMs, fire) {
        const timer = { atMs: nowMs + delayMs, fire }
        timers.add(timer)
        return { cancel: () => timers.delete(timer) }
      },
    },
    random: { fraction: () => 0.5, hex: () => 'channel' },
    log: silentLogger,
  }
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms
    for (const timer of [...timers]) {
      if (timer.atMs > nowMs) continue
      timers.delete(timer)
      timer.fire()
    }
    await settled()
  }
  return { environment, timers, pass }
}

/** A server that answers when the test says so. */
function world() {
  const sent: SentCall[] = []
  const turns: (() => void)[] = []
  const time = standingTime()
  let listener: RedisListener | null = null
  const call = (name: string, args: readonly string[]): Promise<RedisReply> =>
    new Promise((resolve, reject) => {
      sent.push({
        name,
        args,
        answer(reply) {
          resolve(reply)
          return settled()
        },
        fail(failure, reply = '') {
          reject(new RedisCallError(failure, failure, { reply }))
          return settled()
        },
      })
    })
  const connector: RedisConnector = {
    name: 'fake',
    open: () => ({
      script: (script, _keys, args) => call(scriptNames.get(script) ?? 'other', args),
      command: () => Promise.resolve(''),
      subscribe: async (_channel, heard) => {
        listener = heard
        return { close() {} }
      },
      afterSending: (run) => void turns.push(run),
      onConnectionChange: () => () => {},
      close: async () => {},
    }),
  }
  const backend: LockBackend = redisLocks(connector)(time.environment)
  return {
    backend,
    sent,
    timers: time.timers,
    settled,
    names: () => sent.map(({ name }) => name),
    /** What has been sent last when it is answered: what is asked for leaves at the end of the turn. */
    last: () => ({
      answer: (reply: RedisReply) => settled().then(() => sent.at(-1)?.answer(reply)),
      fail: (failure: RedisCallFailure) => settled().then(() => sent.at(-1)?.fail(failure)),
    }),
    message(text: string) {
      listener?.message(text)
      return settled()
    },
    pass: time.pass,
    /** The next turn of the event loop. */
    turn() {
      for (const run of turns.splice(0)) run()
      return settled()
    },
  }
}

function ask(wanted: Partial<LockAsk> = {}): LockAsk {
  const holder = { host: 'h', pid: 1, label: '' }
  const signal = new AbortController().signal
  return { name: 'n', mode: { kind: 'mutex' }, ttlMs: 1_000, waitMs: 5_000, signal, owner: 'me', holder, ...wanted }
}

describe('locks on one Redis, order by order', () => {
  it('time counts from the sending of what was answered', async () => {
    const { backend, last, pass } = world()
    const contended = backend.contend(ask())
    await pass(400)
    await last().answer([1, '7'])
    expect(await contended).toMatchObject({ token: 7n, validUntilMs: 1_000 - 12 })
  })

  it('a grant that comes later than its TTL is no lease, and is asked for again (node-redlock PR #369)', async () => {
    const { backend, last, pass, names, settled } = world()
    const contended = backend.contend(ask())
    await pass(990)
    await last().answer([1, '7'])
    await settled()
    expect(names()).toEqual(['acquire', 'acquire'])
    await last().answer([1, '7'])
    expect(await contended).toMatchObject({ validUntilMs: 990 + 988 })
  })

  it('an abort while the request is on its way is followed by a release, and a late grant by another one', async () => {
    const { backend, sent, names, settled } = world()
    const stop = new AbortController()
    const aborted = expect(backend.contend(ask({ signal: stop.signal }))).rejects.toBe('enough')
    await settled()
    stop.abort('enough')
    await aborted
    await settled()
    expect(names()).toEqual(['acquire', 'release'])
    await sent[0]?.answer([1, '7'])
    await settled()
    expect(names()).toEqual(['acquire', 'release', 'release'])
  })

  it('one try that is refused costs one request, and leaves nothing that would have to be cleaned', async () => {
    const { backend, sent, last, names, timers, settled } = world()
    const tried = backend.contend(ask({ waitMs: 0 }))
    await settled()
    expect(sent[0]?.args[2]).toMatch(/^0 /)
    await last().answer([0, 500])
    expect(await tried).toBeNull()
    expect(names()).toEqual(['acquire'])
    expect(timers.size).toBe(0)
  })

  it('a waiter queues only after it listens, and confirms what it is granted', async () => {
    const { backend, sent, last, message, names } = world()
    const contended = backend.contend(ask())
    await last().answer([0, 500])
    expect(sent.map(({ args }) => args[2])).toEqual(['0 0 ', '5000 0 lockstep:wake:channel'])
    await last().answer([0, 500])
    await message('somebody 8')
    expect(names()).toEqual(['acquire', 'acquire'])
    await message('me 9')
    expect(names()).toEqual(['acquire', 'acquire', 'acquire'])
    await last().answer([1, '9'])
    expect(await contended).toMatchObject({ token: 9n })
  })

  it('a grant that was passed on before it was confirmed is not held, and it queues again', async () => {
    const { backend, last, message, names } = world()
    const contended = backend.contend(ask())
    await last().answer([0, 500])
    await last().answer([0, 500])
    await message('me 9')
    await last().answer([0, 500])
    expect(names()).toEqual(['acquire', 'acquire', 'acquire'])
    await message('me 12')
    await last().answer([1, '12'])
    expect(await contended).toMatchObject({ token: 12n })
  })

  it('a message of an earlier grant, which ran out and was granted to others since, gives no old token to a later grant', async () => {
    const { backend, last, message, pass } = world()
    const contended = backend.contend(ask())
    await last().answer([0, 500])
    await last().answer([0, 500])
    // Granted 9 now, and not heard; it runs out, somebody else is granted 10, and the poll queues once more.
    await pass(800)
    await last().answer([0, 5_000])
    // Granted 11, of which the message is behind that of 9.
    await message('me 9')
    await last().answer([1, '11'])
    expect(await contended).toMatchObject({ token: 11n })
  })

  it('a grant that comes while the poll is on its way is not missed', async () => {
    const { backend, last, message, pass, names } = world()
    const contended = backend.contend(ask())
    await last().answer([0, 5_000])
    await last().answer([0, 5_000])
    await pass(800)
    expect(names()).toEqual(['acquire', 'acquire', 'acquire'])
    await message('me 9')
    await last().answer([0, 5_000])
    expect(names()).toEqual(['acquire', 'acquire', 'acquire', 'acquire'])
    await last().answer([1, '9'])
    expect(await contended).toMatchObject({ token: 9n })
  })

  it('the end of the wait takes it out of the queue, and repeats that until it is answered', async () => {
    const { backend, last, pass, names } = world()
    const contended = backend.contend(ask({ waitMs: 100 }))
    await last().answer([0, 5_000])
    await last().answer([0, 5_000])
    await pass(100)
    expect(await contended).toBeNull()
    expect(names().at(-1)).toBe('release')
    await last().fail('unknown')
    await pass(250)
    expect(names().filter((name) => name === 'release')).toHaveLength(2)
  })

  it('a release that is not answered is repeated once, and what it has done counts as held', async () => {
    const { backend, last } = world()
    const contended = backend.contend(ask())
    await last().answer([1, '7'])
    const released = (await contended)?.release()
    await last().fail('unknown')
    await last().answer(0)
    expect(await released).toBe(true)
  })

  it('what is asked for in one turn leaves together in its order, and extensions in requests of a hundred', async () => {
    const { backend, sent, names, settled, turn } = world()
    const contended = Array.from({ length: 150 }, (_, index) => backend.contend(ask({ name: `n${index}` })))
    await settled()
    const timesAsked = (args: readonly string[]) => args.filter((arg) => arg === 'acquire').length
    for (let turns = 1; turns <= 10; turns += 1) {
      expect(sent).toHaveLength(turns)
      await turn()
    }
    expect(sent.map(({ args }) => timesAsked(args))).toEqual([...Array(9).fill(16), 6])
    for (const call of [...sent]) await call.answer(Array(timesAsked(call.args)).fill([1, '7']))
    const held = (await Promise.all(contended)).filter((hold) => hold !== null)
    const extended = held.map((hold) => hold.extend(1_000))
    await settled()
    const requests = sent.filter(({ name }) => name === 'extend')
    expect(requests.map(({ args }) => args.length / 2)).toEqual([100, 50])
    for (const request of requests) await request.answer(Array(request.args.length / 2).fill(1))
    expect(await Promise.all(extended)).toEqual(Array(150).fill(true))
    expect(names().filter((name) => name === 'together')).toHaveLength(10)
  })

  it('what is asked for and given up in one turn is sent in that order, so that nothing stays', async () => {
    const { backend, sent, settled } = world()
    const stop = new AbortController()
    const aborted = expect(backend.contend(ask({ signal: stop.signal }))).rejects.toBe('enough')
    stop.abort('enough')
    await aborted
    await settled()
    expect(sent.map(({ args }) => args.filter((arg) => arg === 'acquire' || arg === 'release'))).toEqual([
      ['acquire', 'release'],
    ])
  })

  it('one of several that fails is told its own error, and the others have their answers', async () => {
    const { backend, last } = world()
    const [first, second] = ['a', 'b'].map((name) => backend.contend(ask({ name })))
    const failed = expect(first).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
    await last().answer(['WRONGTYPE Operation against a key holding the wrong kind of value', [1, '7']])
    await failed
    expect(await second).toMatchObject({ token: 7n })
  })

  it('a pass that is not answered gives nothing up while its owner may come again, and does when it comes aborted', async () => {
    const { backend, last, names } = world()
    const contended = backend.contend(ask())
    await last().answer([1, '7'])
    const hold = await contended
    if (hold === null) throw new Error('It was not granted.')
    const stop = new AbortController()
    const next = ask({ owner: 'next', signal: stop.signal })
    const passed = expect(backend.pass?.(hold, next)).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
    await last().fail('unknown')
    await passed
    expect(names()).toEqual(['acquire', 'pass'])
    stop.abort('enough')
    await expect(backend.contend(next)).rejects.toBe('enough')
    expect(names()).toEqual(['acquire', 'pass', 'release'])
  })

  it('what is abandoned after a pass without an answer is given up', async () => {
    const { backend, last, names, settled } = world()
    const contended = backend.contend(ask())
    await last().answer([1, '7'])
    const hold = await contended
    if (hold === null) throw new Error('It was not granted.')
    const next = ask({ owner: 'next' })
    const passed = expect(backend.pass?.(hold, next)).rejects.toMatchObject({ outcome: 'unknown' })
    await last().fail('unknown')
    await passed
    backend.abandon?.(next)
    backend.abandon?.(next)
    await settled()
    expect(names()).toEqual(['acquire', 'pass', 'release'])
  })

  it('one that may wait only briefly is answered in its time, also beside those that have more', async () => {
    const { backend, sent, pass, settled, timers } = world()
    const brief = expect(backend.contend(ask({ name: 'a', waitMs: 300 }))).rejects.toMatchObject({
      code: 'LOCKSTEP_LOCK_UNAVAILABLE',
    })
    const patient = backend.contend(ask({ name: 'b' }))
    await settled()
    expect(sent).toHaveLength(1)
    await pass(310)
    await brief
    await sent[0]?.answer([
      [1, '7'],
      [1, '8'],
    ])
    expect(await patient).toMatchObject({ token: 8n })
    expect(timers.size).toBe(0)
  })

  it('where the server forbids one of several names, each is asked for alone', async () => {
    const { backend, sent, settled } = world()
    const [good, bad] = ['good', 'bad'].map((name) => backend.contend(ask({ name, owner: name })))
    const refused = expect(bad).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
    await settled()
    await sent[0]?.fail('refused', 'NOPERM')
    expect(sent.map(({ name }) => name)).toEqual(['together', 'acquire', 'acquire'])
    await sent[1]?.answer([1, '7'])
    await sent[2]?.fail('refused', 'NOPERM')
    await refused
    expect(await good).toMatchObject({ token: 7n })
  })

  it('a place in the queue that an aborted request brings late is given up', async () => {
    const { backend, sent, names, settled } = world()
    const stop = new AbortController()
    const aborted = expect(backend.contend(ask({ signal: stop.signal }))).rejects.toBe('enough')
    await settled()
    stop.abort('enough')
    await aborted
    await settled()
    await sent[1]?.answer(0)
    await sent[0]?.answer([0, 500])
    await settled()
    expect(names()).toEqual(['acquire', 'release', 'release'])
  })

  it('an extension of a short lease ends in its own time, and not that of the others it leaves with', async () => {
    const { backend, sent, pass, settled } = world()
    const contended = ['short', 'long'].map((name) =>
      backend.contend(ask({ name, ttlMs: name === 'short' ? 600 : 9_000 })),
    )
    await settled()
    await sent[0]?.answer([
      [1, '7'],
      [1, '8'],
    ])
    const [short, long] = await Promise.all(contended)
    const failed = expect(short?.extend(600)).rejects.toMatchObject({ outcome: 'unknown' })
    const extended = long?.extend(9_000)
    await settled()
    await pass(110)
    await failed
    await sent[1]?.answer([1, 1])
    expect(await extended).toBe(true)
  })

  it('no timer stays after close, and waiters end with it', async () => {
    const { backend, last, timers, sent } = world()
    const contended = expect(backend.contend(ask())).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
    await last().answer([0, 5_000])
    await last().answer([0, 5_000])
    const closed = backend.close()
    await contended
    for (const call of [...sent]) await call.answer(0)
    await closed
    expect(timers.size).toBe(0)
  })

  it('options that are not valid say which', () => {
    const connector = { name: 'fake', open: () => Promise.reject() as never }
    for (const options of [{ prefix: 'a{b}' }, { replicas: -1 }, { callTimeoutMs: 0 }])
      expect(() => redisLocks(connector, options)).toThrow(
        expect.objectContaining({
          code: 'LOCKSTEP_CONFIGURATION',
          message: expect.stringContaining(Object.keys(options)[0] ?? ''),
        }),
      )
  })
})
