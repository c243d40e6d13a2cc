import { LockstepError } from 'lockstep'
import { locksClosed } from 'lockstep/lock-backend'
import type { LockEnvironment } from 'lockstep/ports'
import type { ZooKeeperOptions } from '../session-options.ts'
import { openZooKeeper, type ZooKeeper } from '../zookeeper.ts'
import { LockSession } from './lock-session.ts'
import { toLockstepError } from './to-lockstep-error.ts'

export type SessionSource = ZooKeeper | ZooKeeperOptions

export function isOpened(source: SessionSource): source is ZooKeeper {
  return 'onChange' in source
}

/**
 * The session that locks are taken on. Of options a new one is opened when the one before is over, at the first call that needs it; a
 * handle of the user's is used as it is, and is never closed here.
 */
export class Sessions {
  readonly #source: SessionSource
  readonly #environment: LockEnvironment
  readonly #isStrict: boolean
  readonly #closing = new AbortController()
  #session: LockSession | null = null

  constructor(source: SessionSource, environment: LockEnvironment, isStrict: boolean) {
    this.#source = source
    this.#environment = environment
    this.#isStrict = isStrict
  }

  /** Aborted by `close`, with what whoever still waits is told. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Another session can follow one that is over. */
  get canStartOver(): boolean {
    return !isOpened(this.#source) && !this.closing.aborted
  }

  /** As settled with the server, once there was one. */
  get ttlMs(): number {
    if (this.#session !== null) return this.#session.ttlMs
    return isOpened(this.#source) ? this.#source.timeoutMs : (this.#source.sessionTimeoutMs ?? 10_000)
  }

  current(): LockSession {
    this.closing.throwIfAborted()
    if (this.#session === null || (this.#session.isOver && !isOpened(this.#source))) this.#session = this.#open()
    if (!this.#session.isOver) return this.#session
    throw new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
      message: `The ZooKeeper session that these locks were given is ${this.#session.zookeeper.state}.`,
      retriable: false,
      next: 'Open a new session and new locks on it, or give `zookeeperLocks` the options instead of a session.',
    })
  }

  async close(): Promise<void> {
    if (this.closing.aborted) return
    this.#closing.abort(locksClosed('zookeeper'))
    const session = this.#session
    // The end of a session takes everything with it.
    if (!isOpened(this.#source)) await session?.zookeeper.close()
    await session?.close()
  }

  #open(): LockSession {
    const environment = this.#environment
    try {
      const zookeeper = isOpened(this.#source) ? this.#source : openZooKeeper({ environment, ...this.#source })
      return new LockSession({ zookeeper, environment, isStrict: this.#isStrict })
    } catch (error) {
      throw toLockstepError(error)
    }
  }
}
