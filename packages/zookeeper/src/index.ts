/** A ZooKeeper client for locks: every request ends, every session loss is told. */
export type { ClientEnvironment } from './environment.ts'
export {
  errorTable,
  isZooKeeperError,
  ZooKeeperError,
  type ZooKeeperErrorCode,
  type ZooKeeperOutcome,
} from './errors.ts'
export { type ZooKeeperLocksOptions, zookeeperLocks } from './locks/zookeeper-locks.ts'
export type { SessionChange, SessionListener, SessionState } from './session.ts'
export type { ZooKeeperOptions } from './session-options.ts'
export type { TlsOptions } from './socket.ts'
export type { WatchEvent, WatchListener } from './watches.ts'
export { type AclEntry, allPermissions, creatorAcl, digestId, openAcl, type Permission } from './wire/acl.ts'
export type { Credentials } from './wire/auth.ts'
export type { Created, CreateMode, CreateOptions } from './wire/create.ts'
export type { SessionKey } from './wire/handshake.ts'
export type { MultiOperation, MultiResult } from './wire/multi.ts'
export type { NodeAcl, NodeChildren, NodeData } from './wire/operations.ts'
export type { Stat } from './wire/stat.ts'
export { openZooKeeper, type ReadOptions, type RequestTime, type WriteOptions, type ZooKeeper } from './zookeeper.ts'
