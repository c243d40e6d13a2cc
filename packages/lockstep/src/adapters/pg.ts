import { LockstepError } from '../errors.ts'
import type { BarrierDatabase, PgClientHandle, PgPoolHandle } from '../ports/index.ts'
import { BarrierBusy, verdictOf } from '../ports/index.ts'
import type { BarrierTableOptions } from './barrier-table.ts'
import { barrierTable } from './barrier-table.ts'
import { inTurn } from './handle-queue.ts'
import { pgBarrierRows } from './pg-barrier-rows.ts'

/** What this adapter is tested with; named in the error for another handle. */
export const pgSupport = { package: 'pg', handle: 'Pool or connected Client', tested: '8.23' } as const

export interface PgBarrierOptions extends BarrierTableOptions {
  /** The schema that holds `lockstep_barrier`; what the connection's search path finds unless given. */
  readonly schema?: string
}

const runsMax = 4

/**
 * The barrier on a pg `Pool`, or on one connected `Client`, whose transactions then wait for each other.
 *
 * Always READ COMMITTED: the read after a lost insert must see the winner. A deadlock or serialisation failure is run again
 * up to three times, everything from `BEGIN` on.
 */
export function pgBarrier(options: PgBarrierOptions = {}): BarrierDatabase {
  const table = barrierTable(options.schema)
  const now = options.now ?? Date.now
  return {
    name: 'pg',
    accepts: `a ${pgSupport.handle} of ${pgSupport.package} (${pgSupport.tested})`,
    recognises: (handle) => isPool(handle) || isClient(handle),
    transact(handle, run, { lockWaitMs }) {
      const attempt = async (client: PgClientHandle) =>
        transactOn(client, () => run(client, pgBarrierRows(client, { table, now, lockWaitMs })))
      const transact = isPool(handle)
        ? () => onPool(handle, attempt)
        : () => inTurn(handle as PgClientHandle, lockWaitMs, () => onClient(handle as PgClientHandle, attempt))
      return withReruns(transact)
    },
  }
}

/** The loser of a deadlock has been rolled back whole, so it may try again, a little apart from the winner. */
async function withReruns<Result>(transact: () => Promise<Result>): Promise<Result> {
  for (let run = 1; ; run++) {
    try {
      return await transact()
    } catch (error) {
      if (run === runsMax || !isRerunnable(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, run * (5 + Math.random() * 20)))
  }
}

function isRerunnable(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === '40001' || code === '40P01'
}

async function onPool<Result>(pool: PgPoolHandle, work: (client: PgClientHandle) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  const forget = hearErrors(client)
  let clean = false
  try {
    const result = await work(client)
    clean = true
    return result
  } catch (error) {
    // A verdict and a busy key are ours, and rolled back. After any other error nobody knows what the connection still has
    // queued or set, and the next borrower must not find out.
    const ours = verdictOf(error) !== null || error instanceof BarrierBusy
    clean = ours && statusOf(client) !== 'E' && statusOf(client) !== 'T'
    throw error
  } finally {
    // A destroyed client may still report the end of its connection.
    if (clean) forget()
    client.release(!clean)
  }
}

/**
 * A borrowed client that loses its connection between two queries emits `error`, and without a listener that ends the
 * process. The next query fails all the same, so nothing is hidden.
 */
function hearErrors(client: PgClientHandle): () => void {
  const emitter = client as Partial<Record<'on' | 'off', (event: 'error', listener: () => void) => unknown>>
  const listener = (): void => {}
  emitter.on?.('error', listener)
  return () => emitter.off?.('error', listener)
}

async function onClient<Result>(
  client: PgClientHandle,
  work: (client: PgClientHandle) => Promise<Result>,
): Promise<Result> {
  const forget = hearErrors(client)
  try {
    if (await isInTransaction(client)) throw insideTransaction()
    return await work(client)
  } finally {
    forget()
  }
}

async function transactOn<Result>(client: PgClientHandle, work: () => Promise<Result>): Promise<Result> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  try {
    const result = await work()
    const status = statusOf(client)
    if (status !== null && status !== 'T') throw endedByUser()
    const committed = (await client.query('COMMIT')) as { command?: unknown }
    // COMMIT of a failed transaction succeeds, as a rollback.
    if (committed.command === 'ROLLBACK') throw endedByUser()
    return result
  } catch (error) {
    // When even this fails the connection is gone, and the server rolls back by itself.
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** `I` idle, `T` in a transaction, `E` in a failed one; null where the driver is older than that. */
function statusOf(client: PgClientHandle): string | null {
  const { getTransactionStatus } = client as { getTransactionStatus?: () => unknown }
  const status = typeof getTransactionStatus === 'function' ? getTransactionStatus.call(client) : null
  return typeof status === 'string' ? status : null
}

async function isInTransaction(client: PgClientHandle): Promise<boolean> {
  const status = statusOf(client)
  if (status !== null) return status !== 'I'
  // Outside a transaction block both are the start of this very statement.
  const { rows } = await client.query('SELECT now() <> statement_timestamp() AS inside')
  return rows[0]?.['inside'] === true
}

function insideTransaction(): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'branch.transact was given a pg Client with an open transaction, whose end it would decide.',
    next: 'Give branch.transact the Pool, or a Client outside a transaction.',
  })
}

function endedByUser(): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'The transaction of branch.transact was ended, or had failed, before its function returned.',
    outcome: 'unknown',
    next: 'Send no COMMIT or ROLLBACK inside branch.transact, and let its SQL errors through.',
  })
}

function isPool(handle: unknown): handle is PgPoolHandle {
  const candidate = handle as Partial<PgPoolHandle> | null
  if (typeof candidate !== 'object' || candidate === null) return false
  return typeof candidate.connect === 'function' && typeof candidate.totalCount === 'number'
}

function isClient(handle: unknown): handle is PgClientHandle {
  const candidate = handle as (Partial<PgClientHandle> & { processID?: unknown }) | null
  if (typeof candidate !== 'object' || candidate === null) return false
  return typeof candidate.query === 'function' && 'processID' in candidate
}
