/** Patience in a time that the test owns: the wire is scripted, and every pause is over at once by the clock it moves. */
import type { Dispatcher } from 'undici'
import { expect, it } from 'vitest'
import { type ErrorCode, isLockstepError, LockstepError } from '../errors.ts'
import type { Environment } from '../ports/index.ts'
import { problemBody } from '../protocol/index.ts'
import { decideCall, getCall } from './calls.ts'
import { PatientCaller } from './patient-caller.ts'
import type { RemoteCall } from './remote-call.ts'

interface Sent {
  readonly atMs: number
  readonly path: string
}

/** `refused`: nobody listens. `reset`: it was sent, and then the connection ended. `silent`: nothing, ever. */
type Step = 'refused' | 'reset' | 'silent' | { readonly status: number; readonly body: object; readonly after?: string }

const transaction = { id: 't-1', store: '1f2e3d4c', status: 'committing', version: 1, branches: [] }
const done: Step = { status: 200, body: transaction }
const says = (code: ErrorCode, after?: string): Step => {
  const body = problemBody(new LockstepError(code, { message: `${code} says why.` }))
  return after === undefined ? { status: body.status, body } : { status: body.status, body, after }
}

/** The steps in order; the last one for ever. */
function world(steps: readonly Step[], options: { readonly patienceMs?: number; readonly jitter?: number } = {}) {
  const sent: Sent[] = []
  const time = ownTime(options.jitter ?? 0.5)
  const dispatch = (request: { path: string }, handler: Dispatcher.DispatchHandler): boolean => {
    const step = steps[Math.min(sent.length, steps.length - 1)] ?? 'silent'
    sent.push({ atMs: time.environment.clock.monotonicMs(), path: request.path })
    play(step, handler as Required<Dispatcher.DispatchHandler>)
    return true
  }
  const caller = new PatientCaller({
    address: { origin: 'http://lockstep.test', base: '', headers: [] },
    dispatcher: { dispatch } as unknown as Dispatcher,
    waiting: { dispatch } as unknown as Dispatcher,
    environment: time.environment,
    patienceMs: options.patienceMs ?? 10_000,
    answerBytesMax: 1_000,
  })
  return { caller, sent, times: () => sent.map(({ atMs }) => atMs), ...time }
}

function play(step: Step, handler: Required<Dispatcher.DispatchHandler>): void {
  const controller = { abort() {} } as unknown as Dispatcher.DispatchController
  if (step !== 'refused') handler.onRequestStart(controller, {})
  if (step === 'refused') handler.onResponseError(controller, new Error('connect ECONNREFUSED'))
  if (step === 'reset') handler.onResponseError(controller, new Error('read ECONNRESET'))
  if (typeof step === 'string') return
  const after = step.after === undefined ? {} : { 'retry-after': step.after }
  handler.onResponseStart(controller, step.status, { 'content-type': 'application/json', ...after })
  handler.onResponseData(controller, Buffer.from(JSON.stringify(step.body)))
  handler.onResponseEnd(controller, {})
}

function ownTime(jitter: number) {
  let nowMs = 0
  const pending = new Set<{ readonly atMs: number; readonly fire: () => void }>()
  const turn = (): void => {
    const [first] = [...pending].sort((left, right) => left.atMs - right.atMs)
    if (first === undefined) return
    pending.delete(first)
    nowMs = Math.max(nowMs, first.atMs)
    first.fire()
  }
  const environment: Pick<Environment, 'clock' | 'timers' | 'random'> = {
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after(delayMs, fire) {
        const one = { atMs: nowMs + delayMs, fire }
        pending.add(one)
        setImmediate(turn)
        return { cancel: () => pending.delete(one) }
      },
    },
    random: { fraction: () => jitter, hex: (bytes) => '0'.repeat(bytes * 2) },
  }
  return { environment, timers: () => pending.size }
}

async function failureOf(asked: Promise<unknown>): Promise<LockstepError> {
  const thrown = await asked.then(
    () => null,
    (error: unknown) => error,
  )
  if (!isLockstepError(thrown)) throw thrown ?? new Error('it was answered')
  return thrown
}

const commit = decideCall('t-1', 'commit', 0)
const action: RemoteCall<unknown> = { ...commit, what: 'retry t-1', effect: 'each-time' }

it('a call is repeated after pauses that grow to two seconds, until it is answered', async () => {
  const { caller, times, timers } = world([...Array(8).fill('refused'), done])
  expect(await caller.ask(commit)).toEqual(transaction)
  expect(times()).toEqual([0, 50, 150, 350, 750, 1_550, 2_550, 3_550, 4_550])
  expect(timers()).toBe(0)
})

it('the jitter is full: a pause may be none at all', async () => {
  const { caller, times } = world(['refused', 'reset', done], { jitter: 0 })
  await caller.ask(commit)
  expect(times()).toEqual([0, 0, 0])
})

it('patience begins with the trouble and ends with a last try', async () => {
  const { caller, times } = world(['silent'])
  await failureOf(caller.ask(commit))
  // The first try has ten seconds of its own; the last one begins when the ten seconds of patience are over.
  expect(times()).toEqual([0, 10_050])
  const quick = world(['refused'])
  await failureOf(quick.caller.ask(commit))
  expect(quick.times().at(-1)).toBe(10_000)
})

it('without patience a call is tried once', async () => {
  const { caller, times } = world(['refused', done], { patienceMs: 0 })
  expect(await failureOf(caller.ask(commit))).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'not-applied' })
  expect(times()).toEqual([0])
})

it('a call that never left is not applied, and says what to do', async () => {
  const error = await failureOf(world(['refused']).caller.ask(commit))
  expect(error).toMatchObject({
    code: 'LOCKSTEP_UNREACHABLE',
    outcome: 'not-applied',
    retriable: true,
    details: { id: 't-1' },
    message:
      'http://lockstep.test was asked to commit t-1 (15 tries in 10000 ms): connect ECONNREFUSED. It had no effect; it may be repeated.',
  })
})

it('one try that may have been received makes it unknown, whatever came before and after', async () => {
  for (const steps of [
    ['reset', 'refused'],
    ['refused', 'reset', 'refused'],
    ['silent', 'refused'],
  ] as const) {
    const error = await failureOf(world(steps).caller.ask(commit))
    expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown', details: { id: 't-1' } })
    expect(error.message).toContain(
      'It may have taken effect: repeat it exactly, with the id t-1, until it is answered.',
    )
  }
})

it('a coordinator that is busy or stopping is asked again, no sooner than it says', async () => {
  const { caller, times } = world([says('LOCKSTEP_BUSY', '3'), says('LOCKSTEP_STOPPING'), done])
  expect(await caller.ask(commit)).toEqual(transaction)
  expect(times()).toEqual([0, 3_000, 3_100])
})

it('who is told to come back later than patience lasts is told so at once', async () => {
  const { caller, times } = world([says('LOCKSTEP_BUSY', '11')])
  const error = await failureOf(caller.ask(commit))
  expect(error).toMatchObject({ code: 'LOCKSTEP_BUSY', outcome: 'not-applied', retriable: true, retryAfterMs: 11_000 })
  expect(error.message).toBe('LOCKSTEP_BUSY says why.')
  expect(times()).toEqual([0])
})

it('when patience is over, the code is the last answer, and the outcome that of all tries', async () => {
  const busy = await failureOf(world([says('LOCKSTEP_BUSY')]).caller.ask(commit))
  expect(busy).toMatchObject({ code: 'LOCKSTEP_BUSY', outcome: 'not-applied' })
  const stopping = await failureOf(world(['reset', says('LOCKSTEP_STOPPING')]).caller.ask(commit))
  expect(stopping).toMatchObject({ code: 'LOCKSTEP_STOPPING', outcome: 'unknown', details: { id: 't-1' } })
  expect(stopping.message).toMatch(/LOCKSTEP_STOPPING says why\. It may have taken effect: repeat it exactly/)
  const store = await failureOf(world([says('LOCKSTEP_STORE_UNAVAILABLE'), 'refused']).caller.ask(commit))
  expect(store).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown' })
})

it('an answer about the transaction settles what earlier tries did', async () => {
  const { caller } = world(['reset', says('LOCKSTEP_ALREADY_ROLLING_BACK')])
  expect(await failureOf(caller.ask(commit))).toMatchObject({
    code: 'LOCKSTEP_ALREADY_ROLLING_BACK',
    outcome: 'not-applied',
    message: 'LOCKSTEP_ALREADY_ROLLING_BACK says why.',
  })
})

it('an answer about the caller settles nothing', async () => {
  const { caller } = world(['reset', says('LOCKSTEP_FORBIDDEN')])
  expect(await failureOf(caller.ask(commit))).toMatchObject({ code: 'LOCKSTEP_FORBIDDEN', outcome: 'unknown' })
})

it.each([502, 503, 504, 429])('a gateway that answers %i for it is passing trouble', async (status) => {
  const { caller, times } = world([{ status, body: { message: 'no upstream' } }, done])
  expect(await caller.ask(commit)).toEqual(transaction)
  expect(times()).toEqual([0, 50])
  const never = world([{ status, body: {} }])
  expect(await failureOf(never.caller.ask(commit))).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown' })
})

it('a read has no outcome to doubt', async () => {
  const error = await failureOf(world(['reset']).caller.ask(getCall('t-1', 0)))
  expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'not-applied', details: { id: 't-1' } })
})

it('a repeat waits for what is left of the wait that was asked for', async () => {
  const { caller, sent } = world(['silent', 'silent', done], { patienceMs: 40_000 })
  await caller.ask(decideCall('t-1', 'commit', 30_000))
  expect(sent).toEqual([
    { atMs: 0, path: '/v1/transactions/t-1/commit?wait=30000' },
    { atMs: 40_050, path: '/v1/transactions/t-1/commit' },
    { atMs: 50_150, path: '/v1/transactions/t-1/commit' },
  ])
  const early = world(['reset', done])
  await early.caller.ask(getCall('t-1', 30_000))
  expect(early.sent.at(-1)).toEqual({ atMs: 50, path: '/v1/transactions/t-1?wait=29950' })
})

it('an action is sent again only when it certainly never left', async () => {
  const refused = world(['refused', 'refused', done])
  expect(await refused.caller.ask(action)).toEqual(transaction)
  for (const step of ['reset', 'silent', { status: 502, body: {} }] as const) {
    const { caller, sent } = world(['refused', step, done])
    const error = await failureOf(caller.ask(action))
    expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown', retriable: false })
    expect(error.message).toContain('It may have taken effect: read t-1 before repeating it')
    expect(error.next).toContain('second audit row')
    expect(sent).toHaveLength(2)
  }
  const stopping = world([says('LOCKSTEP_STOPPING'), done])
  expect(await failureOf(stopping.caller.ask(action))).toMatchObject({
    code: 'LOCKSTEP_STOPPING',
    outcome: 'not-applied',
  })
  expect(stopping.sent).toHaveLength(1)
})

it('closing wakes who waits for the next try, and nothing is sent any more', async () => {
  const { caller, sent, timers } = world([says('LOCKSTEP_BUSY', '9')])
  const asked = failureOf(caller.ask(commit))
  const doubtful = world(['reset'], { jitter: 0.99 })
  const lost = failureOf(doubtful.caller.ask(commit))
  while (timers() === 0 || doubtful.timers() === 0) await Promise.resolve()
  caller.close()
  doubtful.caller.close()
  expect(await asked).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'not-applied' })
  expect(await lost).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown' })
  expect(await failureOf(caller.ask(commit))).toMatchObject({ outcome: 'not-applied' })
  expect([sent.length, timers()]).toEqual([1, 0])
})
