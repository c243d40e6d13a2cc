/** Part 3: a claim reads what is due, however much is stored. */
import type { Stores } from '../setting/stores.ts'
import type { ClaimFigures } from './claim-figures.ts'
import { claimsOnPostgres } from './claims-postgres.ts'
import { claimsOnSqlite } from './claims-sqlite.ts'

export async function measureClaims(
  stores: Stores,
  options: { sizes: readonly number[]; runs: number },
): Promise<ClaimFigures[]> {
  const { sizes, runs } = options
  const onSqlite = await claimsOnSqlite(stores, sizes, runs)
  return stores.postgres === null ? onSqlite : [...onSqlite, ...(await claimsOnPostgres(stores, sizes, runs))]
}
