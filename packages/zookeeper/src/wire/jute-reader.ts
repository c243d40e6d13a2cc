import { ZooKeeperError } from '../errors.ts'

/** Reads one record in jute. Whatever does not fit into the frame throws `BROKEN_FRAME`. */
export class JuteReader {
  readonly #frame: Buffer
  #at = 0

  constructor(frame: Buffer) {
    this.#frame = frame
  }

  get left(): number {
    return this.#frame.length - this.#at
  }

  int(): number {
    return this.#frame.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#frame.readBigInt64BE(this.#take(8))
  }

  bool(): boolean {
    return this.#frame[this.#take(1)] !== 0
  }

  text(): string {
    const length = this.#length()
    const at = this.#take(length)
    return this.#frame.toString('utf8', at, at + length)
  }

  /** A copy: the frame may be a small part of a large chunk, which would stay in memory with it. */
  bytes(): Buffer {
    const length = this.#length()
    const at = this.#take(length)
    return Buffer.from(this.#frame.subarray(at, at + length))
  }

  list<Item>(read: () => Item): Item[] {
    const count = this.#length()
    // No item is shorter than its own length field, so a larger count is a lie and must not allocate anything.
    if (count * 4 > this.left) throw broken(`a list of ${count} items in ${this.left} bytes`)
    return Array.from({ length: count }, read)
  }

  end(): void {
    if (this.left > 0) throw broken(`${this.left} bytes too many`)
  }

  /** Jute writes null as -1; text, bytes and lists take it for empty. */
  #length(): number {
    const length = this.int()
    if (length < -1) throw broken(`a length of ${length}`)
    return Math.max(length, 0)
  }

  #take(size: number): number {
    if (size > this.left) throw broken(`${size} bytes wanted, ${this.left} left`)
    const at = this.#at
    this.#at += size
    return at
  }
}

function broken(why: string): ZooKeeperError {
  return new ZooKeeperError('BROKEN_FRAME', { why })
}
