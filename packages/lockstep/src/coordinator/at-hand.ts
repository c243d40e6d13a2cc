import type { Active } from './active.ts'

/** A row whose text is longer is read again when it is needed. */
const textMax = 16_384

/**
 * Copies of rows that wait for somebody's decision. In the store they have no owner, and nothing here drives them; a registration or a
 * decision that comes soon saves a read. The epoch guards them like any other: whoever has moved the row since makes our write fail.
 * Bounded by count and size, so that waiting costs no memory (law 12); the oldest go first.
 */
export class AtHand {
  readonly #actives = new Set<Active>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#actives.size
  }

  has(active: Active): boolean {
    return this.#actives.has(active)
  }

  /** Answers those that must go. */
  add(active: Active): readonly Active[] {
    if (active.size > textMax) return [active]
    this.#actives.delete(active)
    this.#actives.add(active)
    const [oldest] = this.#actives
    return this.#actives.size > this.#max && oldest !== undefined ? [oldest] : []
  }

  delete(active: Active): void {
    this.#actives.delete(active)
  }
}
