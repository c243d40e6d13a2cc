import type { HoldState, LockHold } from 'lockstep/ports'
import type { LockNode, LockSession, SessionHold } from './lock-session.ts'
import type { Removal } from './removal.ts'
import { toLockstepError } from './to-lockstep-error.ts'

export interface NodeHoldParts {
  readonly session: LockSession
  readonly node: LockNode
  /** Starts to take the node away. */
  readonly remove: () => Removal
  /** How a writer becomes a reader. */
  readonly downgrade?: (hold: NodeHold) => Promise<LockHold | null>
}

/** What one node holds, for as long as its session is proven. It is over once: by its release, by a loss, or by a downgrade. */
export class NodeHold implements LockHold, SessionHold {
  readonly node: LockNode
  readonly downgrade?: () => Promise<LockHold | null>
  readonly #session: LockSession
  readonly #remove: () => Removal
  #state: HoldState | 'released' = 'held'
  #tell: ((state: HoldState, why: string) => void) | null = null
  #lastWhy = ''
  #removal: Removal | null = null
  #isHandedOver = false

  constructor({ session, node, remove, downgrade }: NodeHoldParts) {
    this.node = node
    this.#session = session
    this.#remove = remove
    if (downgrade !== undefined)
      this.downgrade = () => downgrade(this).catch((error: unknown) => Promise.reject(toLockstepError(error)))
    if (!session.isConnected) this.#state = 'at-risk'
    session.add(this)
  }

  get token(): bigint {
    return this.node.czxid
  }

  get ttlMs(): number {
    return this.#session.ttlMs
  }

  get validUntilMs(): number {
    return this.#session.validUntilMs
  }

  get isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'released'
  }

  async extend(): Promise<boolean> {
    if (this.isOver) return false
    try {
      const [isOurs] = await Promise.all([this.#session.isOurs(this.node), this.#session.prove()])
      if (!isOurs) this.told('lost', 'its node is gone, or is somebody else’s')
      else if (this.#session.isConnected) this.told('held', 'the session is proven')
    } catch (error) {
      if (!this.#session.isOver) throw toLockstepError(error)
    }
    return !this.isOver
  }

  async release(): Promise<boolean> {
    if (this.#isHandedOver) return false
    const wasLost = this.#state === 'lost'
    this.#end('released')
    try {
      const wasThere = await this.#takeAway().tried()
      return wasThere && !wasLost
    } catch (error) {
      throw toLockstepError(error)
    }
  }

  /** It is handed over to another hold: its node is not taken away. */
  handOver(): void {
    this.#isHandedOver = true
    this.#end('released')
  }

  watch(tell: (state: HoldState, why: string) => void): void {
    this.#tell = tell
    // Never from inside of this call: whoever watches is still being made.
    if (this.#state !== 'held') void Promise.resolve().then(() => this.#tellAgain())
  }

  told(state: HoldState, why: string): void {
    if (this.isOver || state === this.#state) return
    this.#lastWhy = why
    if (state === 'lost') {
      this.#end('lost')
      this.#takeAway()
    } else this.#state = state
    this.#tell?.(state, why)
  }

  #tellAgain(): void {
    if (this.#state !== 'released' && this.#state !== 'held') this.#tell?.(this.#state, this.#lastWhy)
  }

  #takeAway(): Removal {
    this.#removal ??= this.#remove()
    return this.#removal
  }

  #end(state: 'lost' | 'released'): void {
    if (!this.isOver) this.#state = state
    this.#session.forget(this)
  }
}
