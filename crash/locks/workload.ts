/** What a worker does: leases of every kind that the backend has, asked for in every way, and work under them on the shared registers. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type RandomStream, RandomStreams } from '@lockstep/testkit'
import { isLockstepError } from 'lockstep'
import type { AcquireOptions, Lease, LockEvent as LibraryEvent, NamedLock } from 'lockstep/locks'
import { type BackendName, hasSession, type OpenedLocks, openLocks, type Ways } from './backends.ts'
import { type LeaseKind, type LockEvent, nowMs, writeEvent } from './journal.ts'
import { ResourceClient } from './resource-client.ts'

export interface WorkloadSettings {
  /** Of this life: a worker that is started again is somebody else. */
  readonly process: string
  readonly backend: BackendName
  readonly ways: Ways
  readonly ttlMs: number
  readonly resourcePort: number
  readonly seed: number
  /** How many of its tasks want the mutex: two stand in the queue of the process. */
  readonly tasks: number
  /** The names change with time, so that no history grows without bound. */
  readonly startedMs: number
  readonly nameForMs: number
  readonly sectionMaxMs: number
  readonly shortSectionMs: number
  /** The share of sections that may last that long; the others are short. */
  readonly longSections: number
  /** The share of leases that are not renewed: their holders learn of nothing before the end of the TTL. */
  readonly unrenewed: number
  readonly servedWithinMs: number
  /** An open file. */
  readonly file: number
}

export const permits = 2

type Told<Event = LockEvent> = Event extends LockEvent ? Omit<Event, 'id' | 'atMs'> : never

export class Workload {
  readonly #settings: WorkloadSettings
  readonly #opened: OpenedLocks
  readonly #resource: ResourceClient
  readonly #random: RandomStream
  /** The lease of each kind and name, for what the library tells of it. */
  readonly #current = new Map<string, string>()
  #asked = 0
  #isStopping = false
  #working: Promise<unknown> = Promise.resolve()

  constructor(settings: WorkloadSettings) {
    this.#settings = settings
    const { backend, ways, ttlMs, resourcePort, seed } = settings
    this.#opened = openLocks(backend, ways, { ttlMs, observe: (event) => this.#observe(event) })
    this.#resource = new ResourceClient(resourcePort)
    this.#random = new RandomStreams(seed, () => {}).fork(settings.process)
  }

  start(): void {
    const tasks = Array.from({ length: this.#settings.tasks }, () => this.#repeat(() => this.#underMutex()))
    if (this.#opened.locks.capabilities.sharing) tasks.push(this.#repeat(() => this.#underShared()))
    this.#working = Promise.all(tasks)
  }

  /** Ends the work, and asks one last time: everybody must be served. */
  async finish(): Promise<void> {
    this.#isStopping = true
    await this.#working
    const { servedWithinMs } = this.#settings
    const id = this.#ask('mutex', 'last', false)
    const askedMs = nowMs()
    const lease = await this.#granted(id, this.#lockOf('mutex', 'last').acquire({ ...this.#ttl, wait: servedWithinMs }))
    if (lease !== null) {
      this.#tell(id, { e: 'served', waitedMs: nowMs() - askedMs })
      await this.#release(id, lease)
    }
    await this.#opened.close()
    this.#resource.close()
  }

  async #repeat(work: () => Promise<void>): Promise<void> {
    while (!this.#isStopping) {
      await work()
      await sleep(this.#random.integer('think', 0, 40))
    }
  }

  async #underMutex(): Promise<void> {
    const { startedMs, nameForMs, sectionMaxMs } = this.#settings
    const key = `stock-${Math.floor((nowMs() - startedMs) / nameForMs)}`
    const granted = await this.#acquire('mutex', key)
    if (granted === null) return
    const { id, lease } = granted
    await this.#section(id, lease, key, this.#pauseMs(sectionMaxMs))
    await this.#release(id, lease)
  }

  async #underShared(): Promise<void> {
    const kind = this.#random.pick('kind', ['permit', 'permit', 'read', 'read', 'write'] as const)
    const granted = await this.#acquire(kind, kind === 'permit' ? 'seats' : 'page')
    if (granted === null) return
    await sleep(this.#random.integer('shared', 1, 80))
    this.#tellLeft(granted.id, 'looked', granted.lease)
    await this.#release(granted.id, granted.lease)
  }

  /** A few are nearly as long as the lease, so that it has to be renewed. */
  #pauseMs(maxMs: number): number {
    const isLong = this.#random.chance('long section', this.#settings.longSections)
    return this.#random.integer('section', 1, isLong ? maxMs : this.#settings.shortSectionMs)
  }

  /**
   * Reads and writes both registers, like one who does not know better: it looks at its lease, and writes whatever it saw. Only the fence
   * keeps an old holder from writing over what is newer.
   */
  async #section(id: string, lease: Lease, key: string, pauseMs: number): Promise<void> {
    const about = { worker: this.#settings.process, key, token: String(lease.fencingToken) }
    const sentMs = nowMs()
    const read = await this.#resource.call({ op: 'claim', ...about })
    if (read.accepted) this.#tell(id, { e: 'claimed', value: read.fenced, sentMs })
    await sleep(pauseMs)
    this.#tellLeft(id, 'looked', lease)
    await this.#resource.call({ op: 'poke', ...about, value: read.open + 1 })
    if (!read.accepted) return
    const { accepted } = await this.#resource.call({ op: 'write', ...about, value: read.fenced + 1 })
    this.#tell(id, { e: 'wrote', accepted })
  }

  async #acquire(kind: LeaseKind, key: string): Promise<{ readonly id: string; readonly lease: Lease } | null> {
    const how = this.#random.fraction('how')
    const lock = this.#lockOf(kind, key)
    if (how < 0.07) {
      const id = this.#ask(kind, key, false)
      return this.#named(id, lock.tryAcquire(this.#ttl))
    }
    const id = this.#ask(kind, key, true)
    return this.#named(id, lock.acquire({ ...this.#ttl, ...this.#patience(how) }))
  }

  #patience(how: number): AcquireOptions {
    const shortMs = this.#random.integer('short', 1, 300)
    if (how < 0.17) return { wait: shortMs }
    if (how < 0.27) return { wait: 10_000, signal: AbortSignal.timeout(shortMs) }
    return { wait: 10_000, renew: !this.#random.chance('no renewal', this.#settings.unrenewed) }
  }

  get #ttl(): { readonly ttl?: number } {
    return hasSession(this.#settings.backend) ? {} : { ttl: this.#settings.ttlMs }
  }

  #lockOf(kind: LeaseKind, key: string): Pick<NamedLock, 'acquire' | 'tryAcquire'> {
    const { locks } = this.#opened
    if (kind === 'permit') return locks.semaphore(key, permits)
    if (kind !== 'mutex') return locks.readWrite(key)[kind]
    return {
      acquire: (options) => locks.acquire(key, options),
      tryAcquire: (options) => locks.tryAcquire(key, options),
    }
  }

  #ask(kind: LeaseKind, key: string, queues: boolean): string {
    this.#asked += 1
    const id = `${this.#settings.process}-${this.#asked}`
    this.#tell(id, { e: 'asked', kind, key, queues })
    return id
  }

  async #named(id: string, acquiring: Promise<Lease | null>) {
    const lease = await this.#granted(id, acquiring)
    return lease === null ? null : { id, lease }
  }

  async #granted(id: string, acquiring: Promise<Lease | null>): Promise<Lease | null> {
    try {
      const lease = await acquiring
      if (lease === null) {
        this.#tell(id, { e: 'refused', how: 'held' })
        return null
      }
      const atMs = nowMs()
      writeEvent(this.#settings.file, {
        id,
        atMs,
        e: 'granted',
        token: String(lease.fencingToken),
        untilMs: atMs + lease.remaining(),
      })
      this.#current.set(`${lease.mode} ${lease.name}`, id)
      void lease.lost.then((error) => this.#tell(id, { e: 'lost', why: error.message }))
      return lease
    } catch (error) {
      this.#tell(id, { e: 'refused', how: howRefused(error), why: messageOf(error) })
      // A backend that is away answers at once, again and again.
      await sleep(50)
      return null
    }
  }

  async #release(id: string, lease: Lease): Promise<void> {
    this.#tellLeft(id, 'releasing', lease)
    await lease.release()
    this.#tell(id, { e: 'released' })
  }

  /** The clock is read before the lease: what is left then was left at that moment as well. */
  #tellLeft(id: string, e: 'looked' | 'releasing', lease: Lease): void {
    const atMs = nowMs()
    writeEvent(this.#settings.file, { id, atMs, e, leftMs: lease.remaining() })
  }

  #observe(event: LibraryEvent): void {
    const id = this.#current.get(`${event.mode} ${event.name}`)
    if (event.kind === 'renewed' && id !== undefined) this.#tell(id, { e: 'proven', untilMs: nowMs() + event.marginMs })
  }

  #tell(id: string, event: Told): void {
    writeEvent(this.#settings.file, { id, atMs: nowMs(), ...event } as LockEvent)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What nobody has foreseen ends the process, and the run. */
function howRefused(error: unknown): string {
  if (isLockstepError(error)) {
    const known = ['LOCKSTEP_LOCK_TIMEOUT', 'LOCKSTEP_LOCK_UNAVAILABLE'].includes(error.code)
    if (known) return error.code === 'LOCKSTEP_LOCK_TIMEOUT' ? 'timed out' : 'unavailable'
  } else if (error instanceof DOMException && error.name === 'TimeoutError') return 'aborted'
  throw error
}
