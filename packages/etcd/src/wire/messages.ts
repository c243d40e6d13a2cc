/** What is said to etcd and what it answers: keys and values are UTF-8 text, revisions and lease ids are bigint. */

export interface KeyValue {
  readonly key: string
  readonly value: string
  /** The revision of the put that made the key; a put over it keeps it. */
  readonly createRevision: bigint
  readonly modRevision: bigint
  /** Counts the puts since the key was made; 1 after the first. */
  readonly version: bigint
  /** 0 for a key without one. */
  readonly leaseId: bigint
}

export interface KeyRange {
  readonly key: string
  /** Exclusive; without it the range is the one key. */
  readonly rangeEnd?: string | undefined
}

export interface RangeQuery extends KeyRange {
  readonly limit?: number
  readonly keysOnly?: boolean
  /** Only keys whose create revision is at most this. */
  readonly createdUpTo?: bigint
  /** By create revision; by key when it is not given. */
  readonly newestFirst?: boolean
}

export interface RangeResult {
  readonly revision: bigint
  readonly entries: readonly KeyValue[]
}

export interface Put {
  readonly key: string
  readonly value: string
  readonly leaseId?: bigint
}

export type Operation =
  | ({ readonly kind: 'put' } & Put)
  | ({ readonly kind: 'range' } & RangeQuery)
  | ({ readonly kind: 'delete' } & KeyRange)

/** A key that does not exist has the create revision 0; of a range, every key must satisfy it. */
export interface Comparison extends KeyRange {
  readonly target: 'create' | 'mod'
  readonly result: 'equal' | 'less'
  readonly revision: bigint
}

export interface TxnRequest {
  readonly compare: readonly Comparison[]
  readonly success: readonly Operation[]
  readonly failure?: readonly Operation[]
}

export interface TxnResult {
  readonly succeeded: boolean
  readonly revision: bigint
  /** One per operation of the branch that was taken. */
  readonly responses: readonly { readonly entries: readonly KeyValue[]; readonly deleted: number }[]
  /** An endpoint that was asked before has not answered: it may do the same yet, also much later. */
  readonly mayComeAgain?: boolean
}

export interface WatchEvent {
  readonly kind: 'put' | 'delete'
  /** Of a deletion only the key and the revision are known. */
  readonly entry: KeyValue
}
