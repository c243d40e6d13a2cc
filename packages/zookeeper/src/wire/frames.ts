import { ZooKeeperError } from '../errors.ts'

/** What a server may send at most: four times its usual `jute.maxbuffer`. */
export const frameBytesMax = 4 * 1024 * 1024
/** What a server takes at most, unless `jute.maxbuffer` says otherwise. It cuts the connection on anything larger. */
export const requestBytesMax = 0xfffff

const headerBytes = 4

/** Cuts the bytes of one connection into frames. Half a frame waits here, and dies with the connection. */
export class FrameDecoder {
  /** Of the frame that is coming in; unknown before its header is there. */
  #wanted: number | undefined
  #chunks: Buffer[] = []
  #size = 0

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** The next whole frame, without its length. Throws `BROKEN_FRAME` when there can be none. */
  next(): Buffer | undefined {
    if (this.#size < headerBytes) return undefined
    this.#wanted ??= frameLength(this.#joined().readInt32BE(0))
    const end = headerBytes + this.#wanted
    if (this.#size < end) return undefined
    const all = this.#joined()
    this.#chunks = all.length === end ? [] : [all.subarray(end)]
    this.#size -= end
    this.#wanted = undefined
    return all.subarray(headerBytes, end)
  }

  /** Joined twice per frame at most, so that bytes which drip in are not copied again for each of them. */
  #joined(): Buffer {
    const [only] = this.#chunks
    if (only !== undefined && this.#chunks.length === 1) return only
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }
}

function frameLength(length: number): number {
  if (length >= 0 && length <= frameBytesMax) return length
  throw new ZooKeeperError('BROKEN_FRAME', { why: `a frame of ${length} bytes; at most ${frameBytesMax} are read` })
}

/** Puts the length before a record. */
export function framed(record: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + record.length)
  frame.writeInt32BE(record.length, 0)
  record.copy(frame, headerBytes)
  return frame
}
