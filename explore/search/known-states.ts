/**
 * Every state that was reached, as four numbers, found by hash. Flat arrays: a million states take 60 MB.
 */
const width = 4

export class KnownStates {
  #numbers = new Uint32Array(width << 16)
  /** Open addressing: position + 1 of a state, or 0. */
  #slots = new Uint32Array(1 << 18)
  count = 0

  /** The position of the state, and whether it is new. */
  add(a: number, b: number, c: number, d: number): number {
    if (this.count * 2 >= this.#slots.length) this.#grow()
    const mask = this.#slots.length - 1
    let slot = hash(a, b, c, d) & mask
    for (let found = this.#slots[slot] ?? 0; found !== 0; found = this.#slots[slot] ?? 0) {
      if (this.#is(found - 1, a, b, c, d)) return found - 1
      slot = (slot + 1) & mask
    }
    const position = this.count
    if ((position + 1) * width > this.#numbers.length) this.#numbers = longer(this.#numbers)
    this.#numbers.set([a, b, c, d], position * width)
    this.#slots[slot] = position + 1
    this.count += 1
    return position
  }

  /** One of the four numbers of a state. */
  at(position: number, part: 0 | 1 | 2 | 3): number {
    return this.#numbers[position * width + part] ?? 0
  }

  #is(position: number, a: number, b: number, c: number, d: number): boolean {
    const from = position * width
    const numbers = this.#numbers
    return numbers[from] === a && numbers[from + 1] === b && numbers[from + 2] === c && numbers[from + 3] === d
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let position = 0; position < this.count; position++) {
      let slot = hash(this.at(position, 0), this.at(position, 1), this.at(position, 2), this.at(position, 3)) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = position + 1
    }
    this.#slots = slots
  }
}

/** A growing list of small numbers. */
export class Numbers {
  #items = new Uint32Array(1 << 16)
  length = 0

  push(item: number): void {
    if (this.length === this.#items.length) this.#items = longer(this.#items)
    this.#items[this.length] = item
    this.length += 1
  }

  at(position: number): number {
    return this.#items[position] ?? 0
  }
}

function longer(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(numbers.length * 2)
  next.set(numbers)
  return next
}

function hash(a: number, b: number, c: number, d: number): number {
  let mixed = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ b, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ c, 0x27d4eb2f)
  mixed = Math.imul(mixed ^ (mixed >>> 16) ^ d, 0x165667b1)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
