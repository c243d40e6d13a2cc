import type { JuteReader } from './jute-reader.ts'

/** What ZooKeeper keeps of a node besides its data. Zxids and session ids are 64 bits wide, hence bigint. */
export interface Stat {
  /** The transaction that created the node: larger for every later node of the same tree. */
  readonly czxid: bigint
  /** The last one that changed its data. */
  readonly mzxid: bigint
  /** The last one that changed its list of children. */
  readonly pzxid: bigint
  /** Milliseconds since 1970, by the leader's clock. */
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  /** The session that it ends with; 0n for a node that is not ephemeral, in ZooKeeper 3.8 for a container as well. */
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
}

export function readStat(input: JuteReader): Stat {
  const czxid = input.long()
  const mzxid = input.long()
  const ctime = Number(input.long())
  const mtime = Number(input.long())
  const version = input.int()
  const cversion = input.int()
  const aversion = input.int()
  const ephemeralOwner = input.long()
  const dataLength = input.int()
  const numChildren = input.int()
  const pzxid = input.long()
  return { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, dataLength, numChildren }
}
