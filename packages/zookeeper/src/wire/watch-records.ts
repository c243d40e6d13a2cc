import type { JuteReader } from './jute-reader.ts'
import type { Operation } from './operation.ts'

/** On which of the server's two tables a watch stands: that of a node and its data, or that of its children. */
export type WatchTable = 'data' | 'children'

export type NodeChange = 'created' | 'deleted' | 'changed' | 'children-changed'

const changes: Readonly<Record<number, NodeChange>> = {
  1: 'created',
  2: 'deleted',
  3: 'changed',
  4: 'children-changed',
}
const watcherTypes: Readonly<Record<WatchTable, number>> = { children: 1, data: 2 }

export interface WatchedChange {
  /** Undefined for what is no change of a node, and for what only a newer server knows. */
  readonly change: NodeChange | undefined
  readonly path: string
}

export function readWatchedChange(input: JuteReader): WatchedChange {
  const change = changes[input.int()]
  input.int()
  return { change, path: input.text() }
}

/** What a session watches, as a server must be told after a reconnect. */
export interface WatchedPaths {
  readonly data: readonly string[]
  /** Watched for their creation. */
  readonly missing: readonly string[]
  readonly children: readonly string[]
}

/** The number that Java's client gives it, and servers may rely on. */
export const setWatchesXid = -8

/** The server compares with `lastZxid`, and tells at once of what happened in between. */
export function setWatches(lastZxid: bigint, { data, missing, children }: WatchedPaths): Operation<undefined> {
  return {
    type: 101,
    subject: 'setWatches',
    write(out) {
      out.long(lastZxid)
      for (const paths of [data, missing, children]) out.list(paths, (path) => out.text(path))
    },
    read: () => undefined,
  }
}

export function removeWatches(path: string, table: WatchTable): Operation<undefined> {
  return {
    type: 18,
    subject: `removeWatches ${path}`,
    write: (out) => void out.text(path).int(watcherTypes[table]),
    read: () => undefined,
  }
}
