import type { JuteReader } from './jute-reader.ts'
import { JuteWriter } from './jute-writer.ts'

/** What a session is known by. Whoever has both may take it over. */
export interface SessionKey {
  readonly id: bigint
  readonly password: Uint8Array
}

export interface Greeting {
  readonly key: SessionKey
  /** As the server has settled it, within its own bounds; 0 when the session has expired. */
  readonly timeoutMs: number
  readonly isReadOnly: boolean
}

const passwordBytes = 16

/** Of a session that does not exist yet. */
export const noSession: SessionKey = { id: 0n, password: new Uint8Array(passwordBytes) }

/** A server that has not seen `lastZxid` yet cuts the connection: a session never goes back in time. */
export function writeConnect(key: SessionKey, timeoutMs: number, lastZxid: bigint): Buffer {
  const protocolVersion = 0
  const out = new JuteWriter().int(protocolVersion).long(lastZxid).int(timeoutMs).long(key.id).bytes(key.password)
  return out.bool(false).finish()
}

export function readGreeting(input: JuteReader): Greeting {
  input.int()
  const timeoutMs = input.int()
  const key = { id: input.long(), password: input.bytes() }
  // Servers before 3.4 know no read-only mode and send nothing here.
  const isReadOnly = input.left > 0 && input.bool()
  return { key, timeoutMs, isReadOnly }
}
