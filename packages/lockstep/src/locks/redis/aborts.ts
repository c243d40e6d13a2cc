interface Watched {
  readonly contentions: Set<Abortable>
  readonly tell: () => void
}

export interface Abortable {
  aborted(): void
}

/** One listener for each signal, however many contend under it: a signal finds a listener only by looking at all of them. */
export class Aborts {
  readonly #watched = new Map<AbortSignal, Watched>()

  add(signal: AbortSignal, contention: Abortable): void {
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
    const known = this.#watched.get(signal)
    if (known === undefined || !known.contentions.delete(contention) || known.contentions.size > 0) return
    signal.removeEventListener('abort', known.tell)
    this.#watched.delete(signal)
  }
}
