import type { Random } from 'lockstep/ports'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/**
 * Seeded randomness, one stream per purpose: a new kind of fault does not shift the draws of the others. Every draw is counted
 * under its label, so that two runs of one seed can be compared draw by draw.
 */
export class RandomStreams {
  readonly #seed: number
  readonly #streams = new Map<string, RandomStream>()
  readonly #onDraw: (stream: string, label: string, value: number) => void

  constructor(seed: number, onDraw: (stream: string, label: string, value: number) => void) {
    this.#seed = seed
    this.#onDraw = onDraw
  }

  fork(purpose: string): RandomStream {
    const known = this.#streams.get(purpose)
    if (known !== undefined) return known
    const stream = new RandomStream(hash(`${this.#seed}/${purpose}`), (label, value) =>
      this.#onDraw(purpose, label, value),
    )
    this.#streams.set(purpose, stream)
    return stream
  }
}

export class RandomStream implements Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>
  readonly #onDraw: (label: string, value: number) => void

  constructor(seed: number, onDraw: (label: string, value: number) => void) {
    this.#generator = xoroshiro128plus(seed)
    this.#onDraw = onDraw
  }

  /** Both ends included. */
  integer(label: string, from: number, to: number): number {
    const value = uniformInt(this.#generator, from, to)
    this.#onDraw(label, value)
    return value
  }

  fraction(label: string): number {
    return this.integer(label, 0, 2 ** 30 - 1) / 2 ** 30
  }

  chance(label: string, probability: number): boolean {
    // Drawn even when impossible: switching a fault off does not shift what is drawn after it.
    return this.fraction(label) < probability
  }

  pick<T>(label: string, items: readonly T[]): T {
    const item = items[this.integer(label, 0, items.length - 1)]
    if (item === undefined) throw new Error(`nothing to pick for ${label}`)
    return item
  }

  hex(bytes: number, label: string): string {
    let text = ''
    for (let i = 0; i < bytes; i++) text += this.integer(label, 0, 255).toString(16).padStart(2, '0')
    return text
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value | 0
}
