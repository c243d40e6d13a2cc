import { ZooKeeperError } from './errors.ts'
import { Session, type SessionListener, type SessionState } from './session.ts'
import { sessionSettings, type ZooKeeperOptions } from './session-options.ts'
import type { WatchListener } from './watches.ts'
import type { AclEntry } from './wire/acl.ts'
import type { Credentials } from './wire/auth.ts'
import { type Created, type CreateOptions, create } from './wire/create.ts'
import type { SessionKey } from './wire/handshake.ts'
import { type MultiOperation, type MultiResult, multi } from './wire/multi.ts'
import type { Operation } from './wire/operation.ts'
import * as operations from './wire/operations.ts'
import type { Stat } from './wire/stat.ts'
import type { WatchTable } from './wire/watch-records.ts'

export interface RequestTime {
  /** The deadline of this request, waiting for a connection included. */
  readonly timeoutMs?: number
}

export interface ReadOptions extends RequestTime {
  /** Called once: with the next change of what was read, or with the end of the session. */
  readonly watch?: WatchListener
}

export interface WriteOptions extends RequestTime {
  /** Refused with `BAD_VERSION` unless the node has it. Any version by default. */
  readonly version?: number
}

/**
 * One session with a ZooKeeper ensemble. It connects at once, stays attached to the same session through lost connections, and never
 * becomes another one: when it has expired, a new one must be opened.
 *
 * **Guarantees** that every request ends: with its answer or with a `ZooKeeperError`, whose `outcome` says whether it may have
 * happened. That nothing is sent twice. That a watch is told once, also what it missed while the connection was lost.
 * **Does not guarantee** that the session lives while its state is `connected`: look at `provenUntilMs`.
 * Fails with `CONNECTION_LOSS`, `TIMEOUT` (unknown), `NOT_SENT`, `SESSION_EXPIRED`, `CLOSED`, `AUTH_FAILED`, `BAD_ARGUMENTS` (not
 * applied), or with what the server answers.
 * After a crash of this process the session, and what is ephemeral, ends within `timeoutMs`.
 */
export interface ZooKeeper extends AsyncDisposable {
  readonly state: SessionState
  /** 0n before the first connection. Equal to the `ephemeralOwner` of its nodes. */
  readonly sessionId: bigint
  /** With it another object takes the session over: keep it as a password. */
  readonly sessionKey: SessionKey
  /** As settled with the server; before the first connection, as asked for. */
  readonly timeoutMs: number
  /**
   * Until then nobody else has what is ephemeral here, on the monotonic clock. It grows with every write and `sync`, and by itself as
   * long as the leader answers; reads do not move it (`proof.ts` says why).
   */
  readonly provenUntilMs: number
  /** Where it is connected: `host:port`. */
  readonly server: string | null
  /** How many paths are watched, by whomever. */
  readonly watchCount: number
  /** Answers how to stop being told. */
  onChange(listener: SessionListener): () => void
  whenConnected(timeoutMs?: number): Promise<void>

  create(path: string, options?: CreateOptions & RequestTime): Promise<Created>
  delete(path: string, options?: WriteOptions): Promise<void>
  /** Null for a missing node; its watch is then for its creation. */
  exists(path: string, options?: ReadOptions): Promise<Stat | null>
  getData(path: string, options?: ReadOptions): Promise<operations.NodeData>
  setData(path: string, data: Uint8Array | string, options?: WriteOptions): Promise<Stat>
  getChildren(path: string, options?: ReadOptions): Promise<operations.NodeChildren>
  getAcl(path: string, options?: RequestTime): Promise<operations.NodeAcl>
  setAcl(path: string, acl: readonly AclEntry[], options?: WriteOptions): Promise<Stat>
  /**
   * What is read after it shows what anybody's write was answered for before it, since the leader has answered. A server that leads
   * answers its own clients at once, so behind it a read may still be a moment late.
   */
  sync(path: string, options?: RequestTime): Promise<void>
  /** All or nothing. The error names the operation that was refused in `index`. */
  multi(operations: readonly MultiOperation[], options?: RequestTime): Promise<readonly MultiResult[]>
  /** Sent again on every reconnect. Credentials that the server refuses close the session. */
  addAuth(credentials: Credentials, options?: RequestTime): Promise<void>
  /** Takes this listener from this path. Whether it had been told before, only the listener knows. */
  unwatch(path: string, listener: WatchListener): void
  /**
   * Ends the session on the server, and with it what is ephemeral. True when that is certain; false when the server could not be told:
   * then the session ends by its timeout. Never rejects, and a second call gives the first answer.
   */
  close(): Promise<boolean>
}

/** Opens a session. It connects in the background; options that are wrong throw `BAD_ARGUMENTS`. */
export function openZooKeeper(options: ZooKeeperOptions): ZooKeeper {
  const session = new Session(sessionSettings(options))
  return {
    get state() {
      return session.state
    },
    get sessionId() {
      return session.key.id
    },
    get sessionKey() {
      return session.key
    },
    get timeoutMs() {
      return session.timeoutMs
    },
    get provenUntilMs() {
      return session.provenUntilMs
    },
    get server() {
      return session.server
    },
    get watchCount() {
      return session.watches.size
    },
    onChange: (listener) => session.onChange(listener),
    whenConnected: async (timeoutMs) => session.whenConnected(timeoutMs),
    ...readsOf(session),
    ...writesOf(session),
    sync: async (path, { timeoutMs } = {}) => session.call(operations.sync(path), { timeoutMs }),
    addAuth: async (credentials, { timeoutMs } = {}) => session.authenticate(credentials, timeoutMs),
    unwatch: (path, listener) => session.unwatch(path, listener),
    close: () => session.close(),
    async [Symbol.asyncDispose]() {
      await session.close()
    },
  }
}

type Reads = Pick<ZooKeeper, 'exists' | 'getData' | 'getChildren' | 'getAcl'>

function readsOf(session: Session): Reads {
  return {
    exists: async (path, options = {}) => read(session, { path, table: 'data', operation: operations.exists, options }),
    getData: async (path, options = {}) =>
      read(session, { path, table: 'data', operation: operations.getData, options }),
    getChildren: async (path, options = {}) =>
      read(session, { path, table: 'children', operation: operations.getChildren, options }),
    getAcl: async (path, { timeoutMs } = {}) => session.call(operations.getAcl(path), { timeoutMs }),
  }
}

interface WatchedRead<Result> {
  readonly path: string
  readonly table: WatchTable
  readonly operation: (path: string, watch: boolean) => Operation<Result>
  readonly options: ReadOptions
}

function read<Result>(session: Session, { path, table, operation, options }: WatchedRead<Result>): Promise<Result> {
  const { watch: listener, timeoutMs } = options
  const request = operation(path, listener !== undefined)
  const watch = listener && session.watches.expect(table, path, listener)
  try {
    return session.call(request, { timeoutMs, watch })
  } catch (error) {
    watch?.drop()
    throw error
  }
}

type Writes = Pick<ZooKeeper, 'create' | 'delete' | 'setData' | 'setAcl' | 'multi'>

function writesOf(session: Session): Writes {
  const { anyVersion } = operations
  return {
    create: async (path, options = {}) => session.call(create(path, options), { timeoutMs: options.timeoutMs }),
    delete: async (path, { version = anyVersion, timeoutMs } = {}) =>
      session.call(operations.remove(path, version), { timeoutMs }),
    setData: async (path, data, { version = anyVersion, timeoutMs } = {}) =>
      session.call(operations.setData(path, data, version), { timeoutMs }),
    setAcl: async (path, acl, { version = anyVersion, timeoutMs } = {}) =>
      session.call(operations.setAcl(path, acl, version), { timeoutMs }),
    multi: async (parts, { timeoutMs } = {}) => {
      const answer = await session.call(multi(parts), { timeoutMs })
      if (answer instanceof ZooKeeperError) throw answer
      return answer
    },
  }
}
