/** Work that has begun, so that `close` can wait until nothing of it is left. */
export class Underway {
  readonly #all = new Set<Promise<unknown>>()

  /** As the work ends. */
  async watch<Result>(work: Promise<Result>): Promise<Result> {
    this.#all.add(work)
    try {
      return await work
    } finally {
      this.#all.delete(work)
    }
  }

  /** However it ends, also what is begun meanwhile. */
  async over(): Promise<void> {
    while (this.#all.size > 0) await Promise.allSettled(this.#all)
  }
}
