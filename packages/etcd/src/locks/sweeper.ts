import type { LockEnvironment } from 'lockstep/ports'
import type { Candidate, Queues } from './queues.ts'
import type { EtcdSession } from './session.ts'

interface SweeperParts {
  readonly queues: Queues
  readonly environment: Pick<LockEnvironment, 'timers' | 'random'>
  readonly closing: AbortSignal
}

const againMs = 250

/**
 * Takes away entries that nobody wants any more, in the background: again and again until it is done, or until the session that they
 * hang on has ended. An entry of a living session that is forgotten would block its name for ever.
 */
export class Sweeper {
  readonly #parts: SweeperParts

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  /** Of which is known that it was put. */
  remove(candidate: Candidate, session: EtcdSession): void {
    void this.#until(session, () => this.#parts.queues.leave(candidate))
  }

  /** Of which nobody knows whether it was put, or will be. */
  withdraw(candidate: Candidate, session: EtcdSession): void {
    void this.#until(session, () => this.#parts.queues.withdraw(candidate))
  }

  async #until(session: EtcdSession, attempt: () => Promise<unknown>): Promise<void> {
    while (session.isAlive) {
      try {
        await attempt()
        return
      } catch {
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    const { environment, closing } = this.#parts
    const delayMs = againMs * (0.5 + environment.random.fraction('etcd sweep'))
    return new Promise((resolve) => {
      const go = (): void => {
        timer.cancel()
        closing.removeEventListener('abort', go)
        resolve()
      }
      const timer = environment.timers.after(delayMs, go)
      closing.addEventListener('abort', go, { once: true })
    })
  }
}
