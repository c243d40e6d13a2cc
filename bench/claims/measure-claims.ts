/** Part 3: a claim reads what is due, however much is stored. */
import type { Stores } from '../setting/stores.ts'
import type { ClaimFigures } from './claim-figures.ts'
import { claimsOnPostgres } from './claims-postgres.ts'
import { claimsOnSqlite } from './claims-sqlite.ts'

export async function measureClaims(
  stores: Stores,
  { sizes, runs }: { readonly sizes: readonly number[]; readonly runs: number },
): Promise<ClaimFigures[]> {
  const ways = { sqlite: claimsOnSqlite, postgres: claimsOnPostgres }
  const figures: ClaimFigures[] = []
  for (const kind of stores.kinds) figures.push(...(await ways[kind](stores, sizes, runs)))
  return figures
}
