/** A crowd of half messages that nobody decides, put into a store through its own `commit`, and what can be read of it from outside. */
import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { recordBegin } from '../patterns/recorded-entries.ts'
import { openStore, type StoreKind, sqlitePath, withClient } from '../setting/stores.ts'

const batchRows = 256

export interface CrowdOptions {
  readonly messages: number
  readonly producerUrl: string
  readonly receiverUrl: string
}

/** All are due at once: nothing could be worse for who starts on this store. */
export async function fillCrowd(url: string, { messages, producerUrl, receiverUrl }: CrowdOptions): Promise<void> {
  const { row } = await recordBegin({
    id: 'sample',
    pattern: 'message',
    checkBack: `${producerUrl}/_check`,
    deliveries: [{ to: `${receiverUrl}/deliver`, payload: { account: 'account-0', amount: 25 } }],
  })
  const store = openStore(url)
  const { now } = await store.open()
  const moments = { createdAt: now, updatedAt: now, nextAt: now, ageFrom: now }
  for (let from = 0, number = 1; from < messages; from += batchRows, number++) {
    const count = Math.min(batchRows, messages - from)
    const entries = Array.from({ length: count }, () => ({
      kind: 'insert' as const,
      row: { ...row, ...moments, id: randomUUID(), needs: ['producer', 'receiver'] },
    }))
    await store.commit(entries, { instance: 'filler', number, repeat: false })
  }
  await store.close()
}

export interface CrowdCounts {
  readonly undecided: number
  readonly unfinished: number
}

/** What the rows themselves tell of all that was done to them. */
export interface CrowdSums {
  /** Writes of rows: entries and claims. */
  readonly rowWrites: number
  /** Checks that left, each of which is an attempt; what the breaker kept back is none (law 9). */
  readonly checks: number
}

export interface CrowdReader {
  counts(): Promise<CrowdCounts>
  /** Messages that should have been claimed by now: after a start all of them, and what comes back meanwhile. */
  overdue(): Promise<number>
  sums(): Promise<CrowdSums>
}

const countsSql = `select (select count(*) from lockstep_transactions where status = 'prepared') as undecided,
  (select count(*) from lockstep_transactions where status in ('prepared', 'committing')) as unfinished`

/** Claims come about once a second. */
const punctualMs = 2_000

const overdueSql = (now: number): string => `select count(*) as overdue from lockstep_transactions
  where owner is null and ended_at is null and held_reason is null and next_at <= ${now - punctualMs}`

const sumsSql = (checks: string): string =>
  `select sum(version + epoch - 2) as "rowWrites", sum(${checks}) as checks from lockstep_transactions`

const onSqlite = sumsSql(`json_extract(state, '$.state.check.tries.count')`)
const onPostgres = sumsSql(`cast(state::json #>> '{state,check,tries,count}' as bigint)`)

export function crowdReader(kind: StoreKind, url: string): CrowdReader {
  const ask = kind === 'sqlite' ? askSqlite(sqlitePath(url)) : askPostgres(url)
  return {
    async counts() {
      const { undecided, unfinished } = await ask(countsSql)
      return { undecided: Number(undecided), unfinished: Number(unfinished) }
    },
    overdue: async () => Number((await ask(overdueSql(Date.now())))['overdue']),
    async sums() {
      const { rowWrites, checks } = await ask(kind === 'sqlite' ? onSqlite : onPostgres)
      return { rowWrites: Number(rowWrites), checks: Number(checks) }
    },
  }
}

type Ask = (sql: string) => Promise<Readonly<Record<string, unknown>>>

function askSqlite(path: string): Ask {
  return async (sql) => {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      return database.prepare(sql).get() ?? {}
    } finally {
      database.close()
    }
  }
}

function askPostgres(url: string): Ask {
  return (sql) => withClient(url, async (client) => (await client.query(sql)).rows[0])
}
