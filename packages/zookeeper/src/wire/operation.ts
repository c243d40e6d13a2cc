import { ZooKeeperError } from '../errors.ts'
import type { JuteReader } from './jute-reader.ts'
import type { JuteWriter } from './jute-writer.ts'

/** One kind of request: what is written, and how its answer is read. */
export interface Operation<Result> {
  /** The number of the operation on the wire. */
  readonly type: number
  /** For messages: `create /locks/a`. */
  readonly subject: string
  write(out: JuteWriter): void
  read(input: JuteReader): Result
  /** No server answers it without the leader. */
  readonly asksLeader?: true
  /** What a missing node means, where that is an answer and no error. */
  readonly noNode?: { readonly result: Result }
}

/** A path is a key of somebody's data: one that is wrong is refused here, never mended. */
export function checkPath(path: unknown): string {
  if (typeof path === 'string' && (path === '/' || /^(?:\/[^/\0]+)+$/.test(path))) return path
  const shown = typeof path === 'string' ? JSON.stringify(path.slice(0, 100)) : typeof path
  throw new ZooKeeperError('BAD_ARGUMENTS', { why: `${shown} is no path: /name, /name/name or /` })
}

export function dataBytes(data: Uint8Array | string | undefined): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : (data ?? new Uint8Array())
}
