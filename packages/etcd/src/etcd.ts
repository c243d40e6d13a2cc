import { Gateway } from './client/gateway.ts'
import { type EtcdOptions, etcdSettings } from './client/options.ts'
import { ResumedWatch, type Watch, type WatchOptions } from './client/watch.ts'
import {
  bigintOf,
  decodeRange,
  decodeTxn,
  encodeDelete,
  encodePut,
  encodeRange,
  encodeTxn,
  type JsonObject,
  listOf,
  objectOf,
  revisionOf,
} from './wire/codec.ts'
import type { KeyRange, Put, RangeQuery, RangeResult, TxnRequest, TxnResult } from './wire/messages.ts'

export interface CallBounds {
  /** Bound of the whole call over all endpoints; `requestTimeoutMs` of the client unless given. */
  readonly timeoutMs?: number
  /**
   * A second one does no harm: where no answer comes, the next endpoint is asked as well. Reads, keep-alives and revocations always are;
   * a put, a delete and a txn only when this says so. What has not left is always sent on.
   */
  readonly repeatable?: boolean
}

/**
 * What locks need of etcd. Every call ends, with an answer or with an `EtcdError` whose `outcome` tells whether it happened.
 * Behind it is the JSON gateway; gRPC would do as well.
 */
export interface Etcd {
  /** With an id of the caller's a lost answer can be told apart: `lease already exists` is then our own. */
  leaseGrant(
    lease: { readonly ttlSeconds: number; readonly id?: bigint },
    bounds?: CallBounds,
  ): Promise<{ readonly id: bigint; readonly ttlSeconds: number }>
  /** The seconds that it lives from now on; 0 when it is gone. */
  leaseKeepAlive(id: bigint, bounds?: CallBounds): Promise<number>
  leaseRevoke(id: bigint, bounds?: CallBounds): Promise<void>
  /** The seconds that are left; null when it is gone. */
  leaseTimeToLive(id: bigint, bounds?: CallBounds): Promise<number | null>
  leases(bounds?: CallBounds): Promise<readonly bigint[]>
  /** Linearizable. */
  range(query: RangeQuery, bounds?: CallBounds): Promise<RangeResult>
  /** Answers the revision. */
  put(put: Put, bounds?: CallBounds): Promise<bigint>
  /** Answers how many keys are gone. */
  delete(range: KeyRange, bounds?: CallBounds): Promise<number>
  txn(request: TxnRequest, bounds?: CallBounds): Promise<TxnResult>
  /** Opens at once and stays open through failing streams until it is closed or told a gap. */
  watch(options: WatchOptions): Watch
  /** Ends every call and watch that is open. */
  close(): void
}

/**
 * Opens a client of etcd 3.4 or newer over its JSON gateway. Nothing is sent before the first call.
 *
 * Throws `LOCKSTEP_CONFIGURATION` for options that cannot work.
 *
 * @example
 * const etcd = openEtcd({ endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'http://10.0.0.3:2379'] })
 * const { entries } = await etcd.range({ key: 'greeting' })
 */
export function openEtcd(options: EtcdOptions): Etcd {
  const settings = etcdSettings(options)
  const gateway = new Gateway(settings)
  const watches = new Set<Watch>()
  const ask = (path: string, body: JsonObject, bounds: CallBounds = {}, repeatable = bounds.repeatable === true) =>
    gateway.call({ path, body, repeatable, timeoutMs: bounds.timeoutMs })
  const call = async (...question: Parameters<typeof ask>) => (await ask(...question)).message
  return {
    async leaseGrant({ ttlSeconds, id = 0n }, bounds) {
      const answer = await call('/v3/lease/grant', { TTL: String(ttlSeconds), ID: String(id) }, bounds)
      return { id: bigintOf(answer['ID']), ttlSeconds: Number(bigintOf(answer['TTL'])) }
    },
    async leaseKeepAlive(id, bounds) {
      const answer = await call('/v3/lease/keepalive', { ID: String(id) }, bounds, true)
      return Number(bigintOf(objectOf(answer['result'])['TTL']))
    },
    async leaseRevoke(id, bounds) {
      await call('/v3/lease/revoke', { ID: String(id) }, bounds, true)
    },
    async leaseTimeToLive(id, bounds) {
      const seconds = Number(bigintOf((await call('/v3/lease/timetolive', { ID: String(id) }, bounds, true))['TTL']))
      return seconds < 0 ? null : seconds
    },
    async leases(bounds) {
      const answer = await call('/v3/lease/leases', {}, bounds, true)
      return listOf(answer['leases']).map((lease) => bigintOf(objectOf(lease)['ID']))
    },
    range: async (query, bounds) => decodeRange(await call('/v3/kv/range', encodeRange(query), bounds, true)),
    put: async (put, bounds) => revisionOf(await call('/v3/kv/put', encodePut(put), bounds)),
    async delete(range, bounds) {
      return Number(bigintOf((await call('/v3/kv/deleterange', encodeDelete(range), bounds))['deleted']))
    },
    async txn(request, bounds) {
      const { message, mayComeAgain } = await ask('/v3/kv/txn', encodeTxn(request), bounds)
      return { ...decodeTxn(message), mayComeAgain }
    },
    watch(watchOptions) {
      const watch = new ResumedWatch(gateway, watchOptions, settings.environment)
      watches.add(watch)
      return {
        get seenRevision() {
          return watch.seenRevision
        },
        close() {
          watches.delete(watch)
          watch.close()
        },
      }
    },
    close() {
      for (const watch of watches) watch.close()
      watches.clear()
      gateway.close()
    },
  }
}
