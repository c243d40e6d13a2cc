import { DatabaseSync } from 'node:sqlite'
import { sqliteClaim } from '../../packages/lockstep/dist/stores/sqlite/sqlite-claim.js'
import { median, rounded } from '../measuring/spread.ts'
import { type Stores, sqlitePath } from '../setting/stores.ts'
import type { ClaimFigures } from './claim-figures.ts'
import { sqliteFill } from './fill.ts'

const request = { owner: 'live', limit: 100, services: ['bank'], missingAfterMs: 60_000 }
const idleRepeats = 50

/** The store never runs ANALYZE, and so this does not: with statistics SQLite may choose another plan. */
export async function claimsOnSqlite(stores: Stores, sizes: readonly number[], runs: number): Promise<ClaimFigures[]> {
  const database = new DatabaseSync(sqlitePath(await stores.create('sqlite')))
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  const statements = recordStatements(database)
  const claim = sqliteClaim(database, () => Date.now())
  const figures: ClaimFigures[] = []
  for (const [at, stored] of sizes.entries()) {
    database.exec(`begin; ${sqliteFill({ from: (sizes[at - 1] ?? 0) + 1, to: stored })}; commit`)
    const claimMs: number[] = []
    for (let run = 0; run < runs; run++) {
      database.exec(
        "update lockstep_transactions set owner = case when next_at % 2 = 0 then 'dead' end where id like 'd%'",
      )
      claimMs.push(timeMs(() => claim(request)))
    }
    const idle = Array.from({ length: idleRepeats }, () => timeMs(() => claim(request)))
    figures.push({
      store: 'sqlite',
      stored,
      rowsRead: null,
      pagesRead: null,
      claimMs: rounded(median(claimMs)),
      idleClaimMs: rounded(median(idle)),
      byIndex: plansOf(database, statements).every((plan) =>
        /USING (?:COVERING )?INDEX lockstep_transactions_due/.test(plan),
      ),
    })
  }
  database.close()
  return figures
}

function timeMs(work: () => unknown): number {
  const startedMs = performance.now()
  work()
  return performance.now() - startedMs
}

/** The statements that the store's own claim prepares, as they pass by. */
function recordStatements(database: DatabaseSync): readonly string[] {
  const statements: string[] = []
  const prepare = database.prepare.bind(database)
  database.prepare = (sql) => {
    statements.push(sql)
    return prepare(sql)
  }
  return statements
}

/** SQLite counts no rows; its plan tells whether it walks an index of what is due or the table. One line per search. */
function plansOf(database: DatabaseSync, statements: readonly string[]): string[] {
  return statements
    .filter((sql) => sql.startsWith('select id'))
    .flatMap((sql) => database.prepare(`explain query plan ${sql}`).all())
    .map((row) => String(row['detail']))
    .filter((line) => /\b(?:SCAN|SEARCH) lockstep_transactions\b/.test(line))
}
