import { failpoint } from '#failpoint'
import { messageOf } from '../errors.ts'
import type { Call, Clock, Outcome, Random, Transport } from '../ports/index.ts'

/**
 * Lets calls leave: a limit per endpoint, so that a dead one fills only its own share, and a circuit breaker per endpoint, in
 * memory only. A call that the breaker keeps back is no attempt and costs no row (law 9).
 */

const callsPerEndpoint = 128
const failuresToOpen = 5
const openFirstMs = 500
const openMaxMs = 10_000

export interface Job {
  readonly call: Call
  /** Leaves at once: neither an open breaker nor a crowd keeps it back. */
  readonly insists: boolean
  /** Asked right before the call leaves: false when the lease is over, the transaction is held or no longer ours. */
  mayLeave(): boolean
  notSent(why: { readonly retryAfterMs: number; readonly missing: boolean }): void
  done(result: { readonly outcome: Outcome; readonly sentMs: number; readonly durationMs: number }): void
}

interface Endpoint {
  inFlight: number
  readonly waiting: Job[]
  failures: number
  /** Monotonic; the breaker is open before it. */
  openUntilMs: number
  /** Monotonic; when the last one that was sent back comes back. */
  lastBackMs: number
  opened: number
}

export interface DispatcherParts {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  /** Calls that may wait for one endpoint. */
  readonly queueMax: number
}

const missingRetryMs = 5_000
const leaseRetryMs = 500
/** Long enough to be parked: what waits for a crowded endpoint costs no memory. */
const crowdedRetryMs = 2_000
/** What was sent back by one endpoint comes back one after the other: a crowd behind a dead one costs a bounded rate of rows. */
const comeBackEveryMs = 1
const comeBackMaxMs = 10 * 60_000

export class Dispatcher {
  readonly #parts: DispatcherParts
  readonly #endpoints = new Map<string, Endpoint>()

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  submit(job: Job): void {
    const { transport, clock } = this.#parts
    if (!transport.canCall(job.call.target)) {
      this.#sendBack(job, { retryAfterMs: missingRetryMs, missing: true })
      return
    }
    const endpoint = this.#endpoint(transport.endpointOf(job.call.target))
    const closedInMs = endpoint.openUntilMs - clock.monotonicMs()
    if (job.insists) void this.#run(endpoint, job)
    else if (closedInMs > 0)
      this.#sendBack(job, { retryAfterMs: this.#slotAfter(endpoint, closedInMs), missing: false })
    else if (endpoint.inFlight < limitOf(endpoint)) void this.#run(endpoint, job)
    else if (this.#mayQueue(endpoint)) endpoint.waiting.push(job)
    else this.#sendBack(job, { retryAfterMs: this.#slotAfter(endpoint, crowdedRetryMs), missing: false })
  }

  /** Behind a probe nobody waits, and no endpoint takes more than its share of the intake: a dead one must not starve the others. */
  #mayQueue(endpoint: Endpoint): boolean {
    return limitOf(endpoint) > 1 && endpoint.waiting.length < this.#parts.queueMax
  }

  /** In a turn of its own: who submits is still at work on the same transaction. */
  #sendBack(job: Job, why: Parameters<Job['notSent']>[0]): void {
    void Promise.resolve().then(() => job.notSent(why))
  }

  #endpoint(name: string): Endpoint {
    const known = this.#endpoints.get(name)
    if (known !== undefined) return known
    if (this.#endpoints.size > endpointsMax) this.#forgetIdle()
    const fresh = { inFlight: 0, waiting: [], failures: 0, openUntilMs: 0, lastBackMs: 0, opened: 0 }
    this.#endpoints.set(name, fresh)
    return fresh
  }

  #forgetIdle(): void {
    for (const [name, endpoint] of this.#endpoints) if (endpoint.inFlight === 0) this.#endpoints.delete(name)
  }

  async #run(endpoint: Endpoint, job: Job): Promise<void> {
    endpoint.inFlight += 1
    try {
      await this.#call(endpoint, job)
    } finally {
      endpoint.inFlight -= 1
      this.#next(endpoint)
    }
  }

  async #call(endpoint: Endpoint, job: Job): Promise<void> {
    const { transport, clock } = this.#parts
    await failpoint('coordinator.call.before')
    if (!job.mayLeave()) {
      job.notSent({ retryAfterMs: leaseRetryMs, missing: false })
      return
    }
    const sentMs = clock.monotonicMs()
    // A transport never rejects; one that does all the same leaves it open what happened.
    const outcome = await transport
      .call(job.call)
      .catch((error): Outcome => ({ kind: 'unknown', error: messageOf(error) }))
    await failpoint('coordinator.call.after-outcome')
    this.#judge(endpoint, outcome, sentMs)
    job.done({ outcome, sentMs, durationMs: clock.monotonicMs() - sentMs })
  }

  /** When the breaker has opened meanwhile, all that waited is sent back and none is left behind. */
  #next(endpoint: Endpoint): void {
    while (endpoint.waiting.length > 0 && (endpoint.inFlight < limitOf(endpoint) || limitOf(endpoint) === 1)) {
      const next = endpoint.waiting.shift()
      if (next !== undefined) this.submit(next)
    }
  }

  /** Only what says that the endpoint is away counts: an answer, whatever it says, closes the breaker. */
  #judge(endpoint: Endpoint, outcome: Outcome, sentMs: number): void {
    const away = outcome.kind === 'unknown' && (outcome.unreached === true || outcome.code === 'timeout')
    if (!away) {
      endpoint.failures = 0
      endpoint.opened = 0
      endpoint.lastBackMs = 0
      endpoint.openUntilMs = 0
      return
    }
    // All that had left before it opened fails as one: a crowd in flight must not open it for as long as so many probes would.
    if (sentMs < endpoint.openUntilMs) return
    endpoint.failures += 1
    if (endpoint.failures < failuresToOpen) return
    const openMs = Math.min(openMaxMs, openFirstMs * 2 ** Math.min(endpoint.opened, 10))
    endpoint.opened += 1
    // One probe decides: the next failure opens it again, an answer closes it.
    endpoint.failures = failuresToOpen - 1
    endpoint.openUntilMs = this.#parts.clock.monotonicMs() + openMs
  }

  /** A moment of its own for each, so that they do not come back as the crowd that they are. Jittered for the sake of other instances. */
  #slotAfter(endpoint: Endpoint, ms: number): number {
    const nowMs = this.#parts.clock.monotonicMs()
    const earliestMs = nowMs + ms * (1 + this.#parts.random.fraction('breaker'))
    endpoint.lastBackMs = Math.max(earliestMs, Math.min(endpoint.lastBackMs + comeBackEveryMs, nowMs + comeBackMaxMs))
    return Math.ceil(endpoint.lastBackMs - nowMs)
  }
}

const endpointsMax = 10_000

/** A breaker that was open lets a single probe through until something answers. */
function limitOf(endpoint: Endpoint): number {
  return endpoint.failures >= failuresToOpen - 1 ? 1 : callsPerEndpoint
}
