import type pg from 'pg'
import { claimStatement } from '../../packages/lockstep/dist/stores/postgres/postgres-claim.js'
import { median, rounded } from '../measuring/spread.ts'
import { type Stores, withClient } from '../setting/stores.ts'
import type { ClaimFigures } from './claim-figures.ts'
import { forEver, postgresFill } from './fill.ts'

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

interface Explained {
  readonly Plan: Plan
  readonly 'Execution Time': number
}

/** The session settings of the store, without which a plan could be another one. */
const settings = `set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
set enable_mergejoin = off; set jit = off`

export async function claimsOnPostgres(
  stores: Stores,
  sizes: readonly number[],
  runs: number,
): Promise<ClaimFigures[]> {
  const url = await stores.create('postgres')
  return withClient(url, async (client) => {
    await client.query(`${settings}; insert into lockstep_instances values ('live', ${forEver}, '{bank}')`)
    const figures: ClaimFigures[] = []
    for (const [at, stored] of sizes.entries()) {
      await client.query(postgresFill({ from: (sizes[at - 1] ?? 0) + 1, to: stored }))
      await client.query('vacuum analyze lockstep_transactions')
      figures.push({ store: 'postgres', stored, ...(await measureClaims(client, runs)) })
    }
    return figures
  })
}

/** Each claim is rolled back, so that every one meets the same rows. */
async function measureClaims(client: pg.Client, runs: number) {
  const explained: Explained[] = []
  for (let run = 0; run < runs; run++) {
    await client.query('begin')
    const statement = `explain (analyze, buffers, format json) ${claimStatement('')}`
    const { rows } = await client.query(statement, ['me', 80, ['bank'], 60_000, null])
    explained.push(rows[0]['QUERY PLAN'][0] as Explained)
    await client.query('rollback')
  }
  // The first: what the later ones rolled back lies in their way until the next vacuum.
  const plan = explained[0]?.Plan
  return {
    rowsRead: plan === undefined ? 0 : rowsRead(plan),
    pagesRead: plan === undefined ? 0 : plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    claimMs: rounded(median(explained.map((one) => one['Execution Time']))),
    idleClaimMs: null,
    byIndex: plan !== undefined && !scansTable(plan),
  }
}

/** Rows that the scans of the transactions table looked at, kept or not. */
function rowsRead(plan: Plan): number {
  const below = (plan.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0)
  if (plan['Relation Name'] !== 'lockstep_transactions' || !plan['Node Type'].endsWith('Scan')) return below
  return below + (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']
}

function scansTable(plan: Plan): boolean {
  const here = plan['Node Type'] === 'Seq Scan' && plan['Relation Name'] === 'lockstep_transactions'
  return here || (plan.Plans ?? []).some(scansTable)
}
