import { validUntil } from 'lockstep/lock-backend'
import type { HoldState, LockEnvironment, Timer } from 'lockstep/ports'
import { isZooKeeperError } from '../errors.ts'
import type { SessionChange } from '../session.ts'
import type { ZooKeeper } from '../zookeeper.ts'
import { Removal } from './removal.ts'

/** A node of ours that holds something. Its czxid is the fencing token, and tells it from any later node under the same path. */
export interface LockNode {
  readonly path: string
  readonly czxid: bigint
}

/** Whoever must hear what becomes of the session. */
export interface SessionHold {
  readonly node: LockNode
  readonly isOver: boolean
  told(state: HoldState, why: string): void
}

export interface LockSessionParts {
  readonly zookeeper: ZooKeeper
  readonly environment: LockEnvironment
  /** A lost connection is taken as the loss of every hold. */
  readonly isStrict: boolean
}

/**
 * What the locks of this process know of one session, and what they tell the holds.
 *
 *   connected   holds are held; the client proves the session by itself. Moves: a lost connection → suspended; the server's word → over.
 *   suspended   holds are at risk. Moves: another connection → each node is looked at, and then its hold is held or lost; the end of
 *               what was proven → every hold is lost, though the session may live; the server's word → over.
 *   over        final. Every hold is lost.
 *
 * The client never declares an expiry by itself, so the end of `provenUntilMs` is watched here: after it somebody else may have the name.
 */
export class LockSession {
  readonly zookeeper: ZooKeeper
  readonly environment: LockEnvironment
  readonly #isStrict: boolean
  readonly #holds = new Set<SessionHold>()
  readonly #removals = new Set<Removal>()
  readonly #stopListening: () => void
  #expiry: Timer | null = null
  #proving: Promise<void> | null = null
  /** Counts the changes, so that the answer of an older connection is not taken for news. */
  #changes = 0

  constructor({ zookeeper, environment, isStrict }: LockSessionParts) {
    this.zookeeper = zookeeper
    this.environment = environment
    this.#isStrict = isStrict
    this.#stopListening = zookeeper.onChange((change) => this.#changed(change))
  }

  get isOver(): boolean {
    return this.zookeeper.state === 'expired' || this.zookeeper.state === 'closed'
  }

  get isConnected(): boolean {
    return this.zookeeper.state === 'connected'
  }

  get ttlMs(): number {
    return this.zookeeper.timeoutMs
  }

  /** Of one try to release, to prove or to look at something, when nobody says otherwise. */
  get requestMs(): number {
    return Math.max(1, Math.round(this.ttlMs / 3))
  }

  /** The server counts by its own clock, which may run a little faster than this one. */
  get validUntilMs(): number {
    return validUntil(this.zookeeper.provenUntilMs - this.ttlMs, this.ttlMs)
  }

  get isValid(): boolean {
    return !this.isOver && this.validUntilMs > this.environment.clock.monotonicMs()
  }

  add(hold: SessionHold): void {
    this.#holds.add(hold)
    if (!this.isConnected) this.#armExpiry()
  }

  forget(hold: SessionHold): void {
    this.#holds.delete(hold)
  }

  /** Asks the leader. Many who ask at a time are one request: what they learn is the same. */
  prove(): Promise<void> {
    this.#proving ??= this.zookeeper.sync('/', { timeoutMs: this.requestMs }).finally(() => {
      this.#proving = null
    })
    return this.#proving
  }

  /** That very node is still there, and is this session's. */
  async isOurs({ path, czxid }: LockNode): Promise<boolean> {
    const { sessionId } = this.zookeeper
    try {
      const { stat } = await this.zookeeper.getData(path, { timeoutMs: this.requestMs })
      return stat.czxid === czxid && stat.ephemeralOwner === sessionId
    } catch (error) {
      if (isZooKeeperError(error, 'NO_NODE')) return false
      throw error
    }
  }

  remove(once: () => Promise<boolean>): Removal {
    const removal: Removal = new Removal({
      once,
      timers: this.environment.timers,
      isOver: () => this.isOver,
      onEnd: () => void this.#removals.delete(removal),
    })
    this.#removals.add(removal)
    removal.start()
    return removal
  }

  /** A path that no other node ever has: nothing need be compared. */
  removePath(path: string): Removal {
    return this.remove(() => deletePath(this, path))
  }

  get removalCount(): number {
    return this.#removals.size
  }

  /** One more try for whatever is still to be taken away; what then remains ends with the session. */
  async close(): Promise<void> {
    for (const hold of [...this.#holds]) hold.told('lost', 'these locks were closed')
    await Promise.allSettled([...this.#removals].map((removal) => removal.tried()))
    for (const removal of this.#removals) removal.stop()
    this.#stopListening()
    this.#cancelExpiry()
  }

  #changed({ state, cause }: SessionChange): void {
    this.#changes += 1
    for (const removal of this.#removals) removal.wake()
    const why = cause?.message ?? `the session is ${state}`
    if (state === 'connected') this.#lookAtAll()
    else if (state !== 'suspended') this.#tellAll('lost', `the session is over: ${why}`)
    else if (this.#isStrict) this.#tellAll('lost', `the connection was lost: ${why}`)
    else {
      this.#tellAll('at-risk', why)
      this.#armExpiry()
    }
  }

  #tellAll(state: HoldState, why: string): void {
    if (state === 'lost') this.#cancelExpiry()
    for (const hold of [...this.#holds]) hold.told(state, why)
  }

  #lookAtAll(): void {
    this.#cancelExpiry()
    for (const hold of this.#holds) void this.#lookAt(hold, this.#changes)
  }

  async #lookAt(hold: SessionHold, change: number): Promise<void> {
    try {
      const isOurs = await this.isOurs(hold.node)
      if (!isOurs) hold.told('lost', 'its node is gone, or is somebody else’s')
      else if (change === this.#changes) hold.told('held', 'the session goes on')
    } catch {
      // Nobody answered: it stays at risk until the next connection, the next renewal, or the end of what was proven.
      if (change === this.#changes) this.#armExpiry()
    }
  }

  #armExpiry(): void {
    if (this.#holds.size === 0 || this.#expiry !== null) return
    const leftMs = this.validUntilMs - this.environment.clock.monotonicMs()
    this.#expiry = this.environment.timers.after(Math.max(0, leftMs), () => {
      this.#expiry = null
      if (this.isValid) this.#armExpiry()
      else this.#tellAll('lost', 'nobody has proven the session in time, and it may have ended')
    })
  }

  #cancelExpiry(): void {
    this.#expiry?.cancel()
    this.#expiry = null
  }
}

/** False when it was not there. */
export async function deletePath({ zookeeper, requestMs }: LockSession, path: string): Promise<boolean> {
  try {
    await zookeeper.delete(path, { timeoutMs: requestMs })
    return true
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return false
    throw error
  }
}
