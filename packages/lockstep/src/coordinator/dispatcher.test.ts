/** Limits and breaker per endpoint: what a dead endpoint may cost, and that it costs nobody else anything. */
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualTime } from '../../test/coordinator/virtual-time.ts'
import type { Outcome } from '../ports/index.ts'
import { Dispatcher, type Job } from './dispatcher.ts'

let time: VirtualTime
let dispatcher: Dispatcher
let out: { readonly target: string; answer(outcome: Outcome): void }[]
let sent: number
let canCall: boolean

beforeEach(() => {
  time = new VirtualTime()
  out = []
  sent = 0
  canCall = true
  const { clock, random } = time.process().environment
  dispatcher = new Dispatcher({
    clock,
    random,
    queueMax: 200,
    transport: {
      canCall: () => canCall,
      endpointOf: (target) => target,
      close: async () => {},
      call: ({ target }) =>
        new Promise((resolve) => {
          sent += 1
          out.push({ target, answer: resolve })
        }),
    },
  })
})

interface Ends {
  readonly done: Outcome[]
  readonly back: { readonly retryAfterMs: number; readonly missing: boolean }[]
}

function submit(target: string, ends: Ends, mayLeave = () => true, insists = false): void {
  const call = {
    target,
    operation: 'action',
    store: 's',
    transaction: 't',
    branch: 'b',
    attempt: 1,
    begunAt: 0,
    timeoutMs: 1,
    input: null,
    traceparent: null,
  } as const
  const job: Job = {
    call,
    insists,
    mayLeave,
    notSent: (why) => void ends.back.push(why),
    done: ({ outcome }) => void ends.done.push(outcome),
  }
  dispatcher.submit(job)
}

const none = (): Ends => ({ done: [], back: [] })
const dead: Outcome = { kind: 'unknown', error: 'refused', unreached: true }
const alive: Outcome = { kind: 'done', output: null }

async function answerAll(outcome: Outcome): Promise<void> {
  await time.settle()
  for (const call of out.splice(0)) call.answer(outcome)
  await time.settle()
}

async function openBreaker(ends: Ends): Promise<void> {
  for (let n = 0; n < 5; n++) submit('dead', ends)
  await answerAll(dead)
}

describe('the limit', () => {
  it('lets 128 calls to one endpoint out, and the rest in turn', async () => {
    const ends = none()
    for (let n = 0; n < 300; n++) submit('a', ends)
    await time.settle()
    expect(sent).toBe(128)
    await answerAll(alive)
    expect(sent).toBe(256)
    await answerAll(alive)
    await answerAll(alive)
    expect([sent, ends.done.length, ends.back.length]).toEqual([300, 300, 0])
  })
  it('sends back what is more than the endpoint may keep waiting', async () => {
    const ends = none()
    for (let n = 0; n < 400; n++) submit('a', ends)
    await time.settle()
    expect([sent, ends.back.length]).toEqual([128, 72])
  })
  it('is one for each endpoint', async () => {
    const ends = none()
    for (let n = 0; n < 200; n++) submit('a', ends)
    submit('b', ends)
    await time.settle()
    expect(out.at(-1)?.target).toBe('b')
  })
})

describe('the breaker', () => {
  it('opens after five failures: what comes is sent back, and is no call', async () => {
    const ends = none()
    await openBreaker(ends)
    submit('dead', ends)
    await time.settle()
    expect([sent, ends.back.length]).toEqual([5, 1])
    expect(ends.back[0]?.missing).toBe(false)
    expect(ends.back[0]?.retryAfterMs).toBeGreaterThanOrEqual(500)
    expect(ends.back[0]?.retryAfterMs).toBeLessThanOrEqual(1_000)
  })
  it('does not keep back what an operator insists on', async () => {
    const ends = none()
    await openBreaker(ends)
    submit('dead', ends, () => true, true)
    await time.settle()
    expect([sent, ends.back.length]).toEqual([6, 0])
  })
  it('lets one probe through when its time is over; an answer closes it', async () => {
    const ends = none()
    await openBreaker(ends)
    await time.advance(500)
    for (let n = 0; n < 10; n++) submit('dead', ends)
    await time.settle()
    expect(sent).toBe(6)
    // Nobody waits behind a probe that may take its whole time limit.
    expect(ends.back).toHaveLength(9)
    await answerAll(alive)
    submit('dead', ends)
    await time.settle()
    expect(sent).toBe(7)
  })
  it('opens for longer with each failed probe, 10 s at most, and sends all that waited back', async () => {
    const ends = none()
    await openBreaker(ends)
    for (const openMs of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      await time.advance(openMs - 1)
      submit('dead', ends)
      await time.settle()
      expect(out).toEqual([])
      await time.advance(1)
      for (let n = 0; n < 3; n++) submit('dead', ends)
      await time.settle()
      expect(out).toHaveLength(1)
      await answerAll(dead)
      expect(out).toEqual([])
    }
    expect(ends.back).toHaveLength(7 * 3)
  })
  it('opens once for all that had left before: a crowd that fails together is one failure of the endpoint', async () => {
    const ends = none()
    for (let n = 0; n < 128; n++) submit('dead', ends)
    await answerAll(dead)
    expect([sent, ends.done.length]).toEqual([128, 128])
    await time.advance(500)
    submit('dead', ends)
    await time.settle()
    expect(sent).toBe(129)
  })
  it.each<[string, Outcome, boolean]>([
    ['a timeout', { kind: 'unknown', error: 'x', code: 'timeout' }, true],
    ['a broken answer', { kind: 'unknown', error: 'status 500' }, false],
    ['a refusal', { kind: 'refused', reason: null }, false],
    ['"ask again"', { kind: 'pending' }, false],
  ])('%s opens it: %s', async (_, outcome, opens) => {
    const ends = none()
    for (let n = 0; n < 10; n++) submit('a', ends)
    await answerAll(outcome)
    submit('a', ends)
    await time.settle()
    expect(ends.back.length > 0).toBe(opens)
  })
})

describe('a call that must not leave', () => {
  it('is sent back right before it would', async () => {
    const ends = none()
    submit('a', ends, () => false)
    await time.settle()
    expect([sent, ends.back]).toEqual([0, [{ retryAfterMs: 500, missing: false }]])
  })
  it('is asked again when its turn comes, not only when it was submitted', async () => {
    const ends = none()
    let may = true
    for (let n = 0; n < 129; n++) submit('a', ends, () => may)
    await time.settle()
    may = false
    await answerAll(alive)
    expect([sent, ends.back.length]).toEqual([128, 1])
  })
  it('is missing when nobody here knows a way to it', async () => {
    const ends = none()
    canCall = false
    submit('a', ends)
    expect(ends.back).toEqual([])
    await time.settle()
    expect(ends.back).toEqual([{ retryAfterMs: 5_000, missing: true }])
  })
})
