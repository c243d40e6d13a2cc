/** Writes one record in jute, ZooKeeper's encoding: big endian, lengths before texts, bytes and lists. */
export class JuteWriter {
  #buffer = Buffer.allocUnsafe(256)
  #end = 0

  int(value: number): this {
    const at = this.#grow(4)
    this.#buffer.writeInt32BE(value, at)
    return this
  }

  long(value: bigint): this {
    const at = this.#grow(8)
    this.#buffer.writeBigInt64BE(value, at)
    return this
  }

  bool(value: boolean): this {
    const at = this.#grow(1)
    this.#buffer[at] = value ? 1 : 0
    return this
  }

  text(value: string): this {
    const length = Buffer.byteLength(value)
    const at = this.int(length).#grow(length)
    this.#buffer.write(value, at)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.int(value.length).#grow(value.length)
    this.#buffer.set(value, at)
    return this
  }

  list<Item>(items: readonly Item[], write: (item: Item) => void): this {
    this.int(items.length)
    for (const item of items) write(item)
    return this
  }

  /** What was written. The writer must not be used any more. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#end)
  }

  /** Makes room, and answers where it begins. */
  #grow(size: number): number {
    const at = this.#end
    this.#end += size
    if (this.#end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#end, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    return at
  }
}
