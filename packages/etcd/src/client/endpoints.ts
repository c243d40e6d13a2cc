/** The members of the cluster as they were named; the one that answered last is asked first. */
export class Endpoints {
  readonly #urls: readonly string[]
  #current = 0

  constructor(urls: readonly string[]) {
    this.#urls = urls
  }

  /** Each once, beginning with the current one. */
  inOrder(): readonly string[] {
    return [...this.#urls.slice(this.#current), ...this.#urls.slice(0, this.#current)]
  }

  get current(): string {
    return this.#urls[this.#current] ?? ''
  }

  /** The next one is asked from now on, unless somebody else has moved on already. */
  leave(url: string): void {
    if (url === this.current) this.#current = (this.#current + 1) % this.#urls.length
  }
}
