import type { TransactionStore } from '../../ports/index.ts'
import type { Sessions } from './connections.ts'

/**
 * Input: $1 the end time before which rows are thinned, $2 how many. Output: how many were.
 * Invariant: the row itself stays, so that its primary key keeps protecting the id (law 2).
 * Concurrency: rows that another instance is retiring are skipped.
 */
const expireStatement = (prefix: string): string => `with thinned as (
  update ${prefix}lockstep_transactions set definition = '', state = '', reason = null, needs = '{}',
    labels = null, traceparent = null, owner = null, next_at = null, deadline_at = null,
    held_reason = null, held_since = null, held_by = null, held_detail = null, expired = true
  where id = any (array(select id from ${prefix}lockstep_transactions
    where not expired and ended_at is not null and ended_at < $1
    order by ended_at, id limit $2 for update skip locked))
  returning id
), attempts as (
  delete from ${prefix}lockstep_attempts where transaction_id in (select id from thinned)
), labels as (
  delete from ${prefix}lockstep_labels where transaction_id in (select id from thinned)
)
select count(*) as count from thinned`

const forgetStatement = (prefix: string): string => `with forgotten as (
  delete from ${prefix}lockstep_transactions
  where id = any (array(select id from ${prefix}lockstep_transactions
    where expired and ended_at is not null and ended_at < $1
    order by ended_at, id limit $2 for update skip locked))
  returning id
)
select count(*) as count from forgotten`

/** An instance without a row counts as dead, so that rows of instances gone for an hour only cost room. */
const sweepStatement = (prefix: string): string => `delete from ${prefix}lockstep_instances
where lease_until < (extract(epoch from clock_timestamp()) * 1000)::bigint - 3600000`

export function postgresRetire(sessions: Sessions, prefix: string): TransactionStore['retire'] {
  const count = async (statement: string, values: readonly number[]): Promise<number> => {
    const [row] = await sessions.query<{ count: number }>(statement, values)
    return row?.count ?? 0
  }
  return async ({ endedBefore, forgetBefore, limit }) => {
    const expired = await count(expireStatement(prefix), [endedBefore, limit])
    const forgotten = await count(forgetStatement(prefix), [forgetBefore, limit])
    await sessions.query(sweepStatement(prefix), [])
    return { expired, forgotten }
  }
}
