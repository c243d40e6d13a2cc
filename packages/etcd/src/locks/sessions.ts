import { locksClosed } from 'lockstep/lock-backend'
import type { LockEnvironment } from 'lockstep/ports'
import type { Etcd } from '../etcd.ts'
import { type EtcdSession, openSession } from './session.ts'

/** The session of this process: opened with the first ask, and again with the first one behind a loss. */
export class Sessions {
  readonly #parts: { readonly etcd: Etcd; readonly environment: LockEnvironment; readonly ttlMs: number }
  #current: EtcdSession | null = null
  #opening: Promise<EtcdSession> | null = null
  #isClosed = false

  constructor(parts: { etcd: Etcd; environment: LockEnvironment; ttlMs: number }) {
    this.#parts = parts
  }

  /** Null when there is none that may be relied on. */
  get alive(): EtcdSession | null {
    return this.#current?.isAlive === true ? this.#current : null
  }

  /** All who ask while one is opened share it, and its failure. */
  async current(): Promise<EtcdSession> {
    if (this.#isClosed) throw locksClosed('etcd')
    const { alive } = this
    if (alive !== null) return alive
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  /** Revokes the lease, so that nothing is left that would have to run out. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#opening?.catch(() => undefined)
    await this.#current?.end()
  }

  async #open(): Promise<EtcdSession> {
    const session = await openSession(this.#parts)
    this.#current = session
    return session
  }
}
