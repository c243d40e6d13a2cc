/** An etcd client over its JSON gateway, and the locks on it. */
export type { TlsOptions } from './client/http-pool.ts'
export type { EtcdOptions } from './client/options.ts'
export type { Watch, WatchOptions, WatchProbe } from './client/watch.ts'
export type { ClientEnvironment } from './environment.ts'
export { EtcdError, type EtcdOutcome, grpcStatus, isEtcdError } from './errors.ts'
export { type CallBounds, type Etcd, openEtcd } from './etcd.ts'
export { type EtcdLocksOptions, etcdLocks } from './locks/etcd-locks.ts'
export type {
  Comparison,
  KeyRange,
  KeyValue,
  Operation,
  Put,
  RangeQuery,
  RangeResult,
  TxnRequest,
  TxnResult,
  WatchEvent,
} from './wire/messages.ts'
