/** How a resource refuses an older holder of a lock. A lease does not stop a paused process; this does. */
export type { Fence, StaleTokenError } from './fence.ts'
export { type FencedHandler, fencedHandler, fencingHeader, fencingHeaders, readFence } from './http-fence.ts'
export { type FencedEffect, fencedEffect, type RedisHandle } from './redis-fence.ts'
export { claimFence, claimFenceSync, fenceTableSql, requireFenced, type SqlFenceOptions } from './sql-fence.ts'
