interface Watched {
  readonly contentions: Set<Abortable>
  readonly tell: () => void
}

export interface Abortable {
  aborted(): void
}

/**
 * One listener for each signal, however many contend under it: a signal finds a listener only by looking at all of them. The listener on the last
 * signal stays when nobody contends any more, since the next one mostly comes with the same signal: that of the locks themselves.
 */
export class Aborts {
  readonly #watched = new Map<AbortSignal, Watched>()
  #last: AbortSignal | null = null

  add(signal: AbortSignal, contention: Abortable): void {
    if (this.#last !== signal) this.#use(signal)
    const known = this.#watched.get(signal)
    if (known !== undefined) return void known.contentions.add(contention)
    const contentions = new Set([contention])
    const tell = (): void => {
      for (const one of [...contentions]) one.aborted()
    }
    signal.addEventListener('abort', tell, { once: true })
    this.#watched.set(signal, { contentions, tell })
  }

  remove(signal: AbortSignal, contention: Abortable): void {
    this.#watched.get(signal)?.contentions.delete(contention)
    if (signal !== this.#last) this.#forgetIdle(signal)
  }

  #use(signal: AbortSignal): void {
    const before = this.#last
    this.#last = signal
    if (before !== null) this.#forgetIdle(before)
  }

  #forgetIdle(signal: AbortSignal): void {
    const known = this.#watched.get(signal)
    if (known === undefined || known.contentions.size > 0) return
    signal.removeEventListener('abort', known.tell)
    this.#watched.delete(signal)
  }
}
