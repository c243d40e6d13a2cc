import type { LockEnvironment } from 'lockstep/ports'
import type { Candidate, Queues } from './queues.ts'
import type { EtcdSession } from './session.ts'

interface SweeperParts {
  readonly queues: Queues
  readonly environment: Pick<LockEnvironment, 'timers' | 'random'>
  readonly closing: AbortSignal
}

const againMs = 250

/** Of one try: who waits for the first must not wait for long. */
const tryMs = 1_000

/**
 * Takes away entries that nobody wants any more, in the background: again and again until it is done, or until the session that they
 * hang on has ended. An entry of a living session that is forgotten would block its name for ever.
 */
export class Sweeper {
  readonly #parts: SweeperParts

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  /** Of which is known that it was put. Resolves when it is gone, or when the first try has failed and it goes on in the background. */
  async remove(candidate: Candidate, session: EtcdSession): Promise<void> {
    const attempt = () => this.#parts.queues.leave(candidate, { timeoutMs: tryMs })
    if (!(await succeeds(attempt))) void this.#goOn(session, attempt)
  }

  /** Of which nobody knows whether it was put, or will be. */
  withdraw(candidate: Candidate, session: EtcdSession): void {
    const attempt = () => this.#parts.queues.withdraw(candidate)
    void succeeds(attempt).then((isDone) => (isDone ? undefined : this.#goOn(session, attempt)))
  }

  /** Behind a try that has failed. The end of the locks is the end of the session, which takes everything with it. */
  async #goOn(session: EtcdSession, attempt: () => Promise<unknown>): Promise<void> {
    const isNeeded = (): boolean => session.isAlive && !this.#parts.closing.aborted
    while (isNeeded()) {
      await this.#pause()
      if (isNeeded() && (await succeeds(attempt))) return
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

function succeeds(attempt: () => Promise<unknown>): Promise<boolean> {
  return attempt().then(
    () => true,
    () => false,
  )
}
