import type { Dispatcher } from 'undici'
import { LockstepError } from '../errors.ts'
import type { Environment } from '../ports/index.ts'
import type { Address } from './address.ts'
import { readAnswer, troubleOf } from './answer.ts'
import { type Exchange, exchange } from './exchange.ts'
import type { RemoteCall } from './remote-call.ts'
import type { Trouble } from './trouble.ts'

export interface CallerParts {
  readonly address: Address
  readonly dispatcher: Dispatcher
  /** For calls that ask the coordinator to wait: however many there are, they keep no decision from leaving. */
  readonly waiting: Dispatcher
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  /** How long trouble may last before the call gives up. */
  readonly patienceMs: number
  readonly answerBytesMax: number
}

/** An answer that was not asked to wait comes within this, or not at all. */
const answerWithinMs = 10_000
const firstPauseMs = 100
const pauseMaxMs = 2_000

/** What has become of a call so far. */
interface Story {
  readonly startedMs: number
  tries: number
  troubledSinceMs: number | null
  mayHaveHappened: boolean
}

/**
 * Sends a request until it is answered, as long as sending it again can do no harm and the trouble is younger than `patienceMs`.
 *
 * **Guarantees** that a failure says `not-applied` only when no try can have taken effect.
 * **Does not guarantee** that a call ends within `patienceMs`: the last try begins within it and has its own time limit.
 */
export class PatientCaller {
  readonly #parts: CallerParts
  readonly #pauses = new Set<() => void>()
  #closed = false

  constructor(parts: CallerParts) {
    this.#parts = parts
  }

  async ask<T>(call: RemoteCall<T>): Promise<T> {
    const { clock } = this.#parts.environment
    const story: Story = { startedMs: clock.monotonicMs(), tries: 0, troubledSinceMs: null, mayHaveHappened: false }
    for (;;) {
      const tried = this.#closed ? closed() : await this.#try(call, story)
      if ('value' in tried) return tried.value
      story.troubledSinceMs ??= clock.monotonicMs()
      story.mayHaveHappened ||= tried.doubtful
      const pauseMs = this.#pauseMs(call, tried, story)
      if (pauseMs === null) throw this.#failure(call, tried, story)
      await this.#pause(pauseMs)
    }
  }

  /** Nothing is sent any more, and nobody waits for the next try. */
  close(): void {
    this.#closed = true
    for (const wake of [...this.#pauses]) wake()
  }

  async #try<T>(call: RemoteCall<T>, story: Story): Promise<{ readonly value: T } | Trouble> {
    story.tries += 1
    const { address, environment, answerBytesMax } = this.#parts
    const spentMs = Math.floor(environment.clock.monotonicMs() - story.startedMs)
    const waitMs = story.tries === 1 ? call.waitMs : Math.max(0, call.waitMs - spentMs)
    const { path, body = null, headers = [] } = call.request(waitMs)
    const type = body === null ? [] : ['content-type', 'application/json']
    const request = {
      method: call.method,
      path: address.base + path,
      headers: [...address.headers, ...type, ...headers],
      body,
      timeoutMs: waitMs + answerWithinMs,
      answerBytesMax,
    }
    const { dispatcher, waiting } = this.#parts
    return resultOf(call, await exchange(waitMs > 0 ? waiting : dispatcher, request, environment.timers))
  }

  /** Null when it is not worth, or not safe, to try again. */
  #pauseMs(call: RemoteCall<unknown>, trouble: Trouble, { tries, troubledSinceMs }: Story): number | null {
    const { environment, patienceMs } = this.#parts
    const mayRepeat = call.effect !== 'each-time' || !trouble.left
    if (this.#closed || !trouble.passing || !mayRepeat) return null
    const leftMs = patienceMs - (environment.clock.monotonicMs() - (troubledSinceMs ?? 0))
    const { retryAfterMs = 0 } = trouble.options
    if (leftMs <= 0 || retryAfterMs > leftMs) return null
    const ceilingMs = Math.min(pauseMaxMs, firstPauseMs * 2 ** Math.min(tries - 1, 10))
    const jitteredMs = Math.ceil(ceilingMs * environment.random.fraction('client back-off'))
    return Math.max(retryAfterMs, Math.min(jitteredMs, leftMs))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel()
        this.#pauses.delete(wake)
        resolve()
      }
      const timer = this.#parts.environment.timers.after(ms, wake)
      this.#pauses.add(wake)
    })
  }

  #failure(call: RemoteCall<unknown>, { code, options, settles }: Trouble, story: Story): LockstepError {
    const details = { ...(call.id === null ? {} : { id: call.id }), ...options.details }
    const isUnanswered = code === 'LOCKSTEP_UNREACHABLE'
    const isDoubtful = call.effect !== 'none' && story.mayHaveHappened && !settles
    if (!isUnanswered && (!isDoubtful || options.outcome === 'unknown')) {
      return new LockstepError(code, { ...options, details })
    }
    const spentMs = Math.round(this.#parts.environment.clock.monotonicMs() - story.startedMs)
    const tries = story.tries === 1 ? '1 try' : `${story.tries} tries`
    const asked = `${this.#parts.address.origin} was asked to ${call.what} (${tries} in ${spentMs} ms)`
    const outcome = isDoubtful ? 'unknown' : 'not-applied'
    const message = `${asked}: ${sentence(options.message)} ${followingOf(call, outcome)}`
    const advice = isUnanswered ? adviceFor(call, outcome) : {}
    return new LockstepError(code, { ...options, ...advice, message, outcome, details })
  }
}

function resultOf<T>(call: RemoteCall<T>, tried: Exchange): { readonly value: T } | Trouble {
  if (tried.kind === 'unanswered') return unreachable(tried.error, { passing: true, left: tried.left })
  if (tried.kind === 'unreadable') return unreachable(tried.error, { passing: false, left: true })
  const answer = readAnswer(tried)
  const value = call.read(answer)
  return value === undefined ? troubleOf(answer) : { value }
}

function closed(): Trouble {
  return unreachable('the client is closed', { passing: false, left: false })
}

function unreachable(message: string, { passing, left }: Pick<Trouble, 'passing' | 'left'>): Trouble {
  const options = { message, outcome: 'unknown' } as const
  return { code: 'LOCKSTEP_UNREACHABLE', options, passing, left, doubtful: left, settles: false }
}

/** What the caller is to think of it, and to do. */
function followingOf(call: RemoteCall<unknown>, outcome: 'unknown' | 'not-applied'): string {
  if (call.effect === 'none') return 'Nothing was changed; ask again.'
  if (outcome === 'not-applied') return 'It had no effect; it may be repeated.'
  return call.effect === 'once'
    ? `It may have taken effect: repeat it exactly, with the id ${call.id}, until it is answered.`
    : `It may have taken effect: read ${call.id} before repeating it, which would write a second audit row.`
}

function adviceFor(call: RemoteCall<unknown>, outcome: 'unknown' | 'not-applied') {
  if (call.effect !== 'each-time' || outcome === 'not-applied') return {}
  return { retriable: false, next: 'Read the transaction first: repeating the action would write a second audit row.' }
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
