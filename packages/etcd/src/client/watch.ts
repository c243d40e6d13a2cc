/**
 * A watch that lives as long as its owner wants, over as many streams as that takes. Nothing between two streams is missed: each goes on
 * behind the last revision that was seen, and what the server has compacted away is told as a gap.
 *
 * A stream that swallows everything looks like one on which nothing happens. The gateway cannot be asked for progress, so the owner may
 * lend a probe, which writes something that the watch must see.
 */
import type { Timer } from 'lockstep/ports'
import type { ClientEnvironment } from '../environment.ts'
import { EtcdError, isEtcdError } from '../errors.ts'
import { base64, bigintOf, decodeEvent, type JsonObject, listOf, revisionOf } from '../wire/codec.ts'
import type { KeyRange, WatchEvent } from '../wire/messages.ts'
import type { Gateway, JsonStream } from './gateway.ts'

export interface WatchOptions extends KeyRange {
  readonly fromRevision: bigint
  /** What was listed before means nothing any more: list again, and watch from there. The watch has ended. */
  readonly onGap: (oldestRevision: bigint) => void
  readonly onEvents: (events: readonly WatchEvent[]) => void
  /** A stream ended and another is tried, or was refused; for a log. */
  readonly onTrouble?: (error: EtcdError) => void
  readonly probe?: WatchProbe
}

export interface WatchProbe {
  /** After this much silence. */
  readonly everyMs: number
  /** Its event must have come this long after it was answered. */
  readonly withinMs: number
  /** Writes a watched key and answers the revision; null when there is nobody to be served now. */
  write(): Promise<bigint | null>
}

export interface Watch {
  /** The last revision whose events were told, or the one before the first. */
  readonly seenRevision: bigint
  close(): void
}

const retryMs = { first: 20, most: 1_000 }

export class ResumedWatch implements Watch {
  readonly #gateway: Gateway
  readonly #options: WatchOptions
  readonly #environment: ClientEnvironment
  #seenRevision: bigint
  #stream: JsonStream | null = null
  #timer: Timer | null = null
  #failures = 0
  #isClosed = false
  /** Streams are numbered, so that what an old one still says is not taken for the new one's. */
  #generation = 0

  constructor(gateway: Gateway, options: WatchOptions, environment: ClientEnvironment) {
    this.#gateway = gateway
    this.#options = options
    this.#environment = environment
    this.#seenRevision = options.fromRevision - 1n
    void this.#open()
  }

  get seenRevision(): bigint {
    return this.#seenRevision
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#stream?.close()
    this.#stream = null
  }

  async #open(): Promise<void> {
    this.#generation += 1
    const mine = this.#generation
    const { key, rangeEnd } = this.#options
    const request = {
      key: base64(key),
      ...(rangeEnd !== undefined && { range_end: base64(rangeEnd) }),
      start_revision: String(this.#seenRevision + 1n),
      progress_notify: true,
    }
    const isMine = (): boolean => !this.#isClosed && mine === this.#generation
    try {
      const stream = await this.#gateway.stream(
        '/v3/watch',
        { create_request: request },
        {
          message: (result) => isMine() && this.#receive(result),
          end: (error) => isMine() && this.#reopen(error),
        },
      )
      if (isMine()) this.#stream = stream
      else stream.close()
    } catch (error) {
      if (isMine()) this.#reopen(asEtcdError(error))
    }
  }

  #receive(result: JsonObject): void {
    if (result['canceled'] === true) {
      this.#cancelled(result)
      return
    }
    this.#failures = 0
    const events = listOf(result['events']).map(decodeEvent)
    const last = events.at(-1)
    // The header's revision may run ahead of the events that are still to come; without events it is a notice of progress.
    if (last !== undefined) this.#seenRevision = maximum(this.#seenRevision, last.entry.modRevision)
    else if (result['created'] !== true) this.#seenRevision = maximum(this.#seenRevision, revisionOf(result))
    this.#planProbe()
    if (events.length > 0) this.#options.onEvents(events)
  }

  #cancelled(result: JsonObject): void {
    const oldest = bigintOf(result['compact_revision'])
    if (oldest > 0n) {
      this.close()
      this.#options.onGap(oldest)
      return
    }
    const why = `the watch was cancelled: ${String(result['cancel_reason'] ?? 'no reason given')}`
    this.#reopen(new EtcdError('refused', { subject: '/v3/watch', why }))
  }

  #reopen(error: EtcdError): void {
    this.#generation += 1
    this.#timer?.cancel()
    this.#stream?.close()
    this.#stream = null
    const limitMs = Math.min(retryMs.most, retryMs.first * 2 ** this.#failures)
    const delayMs = limitMs * this.#environment.random.fraction('etcd watch retry')
    this.#failures += 1
    this.#timer = this.#environment.timers.after(delayMs, () => void this.#open())
    this.#options.onTrouble?.(error)
  }

  #planProbe(): void {
    const { probe } = this.#options
    if (probe === undefined || this.#isClosed) return
    this.#timer?.cancel()
    this.#timer = this.#environment.timers.after(probe.everyMs, () => void this.#probe(probe))
  }

  async #probe(probe: WatchProbe): Promise<void> {
    const mine = this.#generation
    const revision = await probe.write().catch(() => null)
    if (this.#isClosed || mine !== this.#generation || (revision !== null && this.#seenRevision >= revision)) return
    // Nobody could write: then nobody can be waiting for an event of this moment, and the next probe will tell.
    if (revision === null) return this.#planProbe()
    this.#timer?.cancel()
    this.#timer = this.#environment.timers.after(probe.withinMs, () => {
      if (this.#isClosed || mine !== this.#generation) return
      if (this.#seenRevision >= revision) return this.#planProbe()
      this.#stream?.abandon()
      const why = `nothing was heard of revision ${revision} in ${probe.withinMs} ms`
      this.#reopen(new EtcdError('unknown', { subject: '/v3/watch', why }))
    })
  }
}

function maximum(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function asEtcdError(error: unknown): EtcdError {
  if (isEtcdError(error)) return error
  return new EtcdError('not-sent', { subject: '/v3/watch', why: String(error), cause: error })
}
