/** Compiled, never run: each `@ts-expect-error` is a mistake that the types must catch. */
import type { Pool } from 'pg'
import { z } from 'zod'
import type { Json } from '../ports/index.ts'
import type { CheckBack } from './check-back.ts'
import { checkBack } from './check-back.ts'
import { askAgain } from './refuse.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_T extends true>(): void => {}

declare const pool: Pool
declare const pools: ReadonlyMap<string, Pool>
const Order = z.object({ region: z.string(), amount: z.coerce.number() })

const orders = checkBack('orders', { pool })
holds<Same<typeof orders, CheckBack<Json, 'orders'>>>()

const regions = checkBack('regions', {
  input: Order,
  pool: (input, branch) => {
    holds<Same<typeof input, { region: string; amount: number }>>()
    holds<Same<typeof branch.transaction, string>>()
    // @ts-expect-error the barrier answers the check; there is nothing to transact
    branch.transact
    return pools.get(input.region) ?? pool
  },
})
holds<Same<typeof regions, CheckBack<z.input<typeof Order>, 'regions'>>>()

checkBack('orders', {
  pool: (input) => {
    holds<Same<typeof input, Json>>()
    return pool
  },
})

checkBack('orders', {
  input: Order,
  check: async (input) => (input.amount > 1 ? 'commit' : input.amount > 0 ? 'rollback' : askAgain('5s')),
})

// @ts-expect-error only the two decisions
checkBack('orders', { input: Order, check: () => 'perhaps' })
// @ts-expect-error one way to check
checkBack('orders', { pool, check: () => 'commit' })
// @ts-expect-error some way to check
checkBack('orders', {})

for (const one of [orders, regions] satisfies readonly CheckBack[]) holds<Same<(typeof one)['kind'], 'check-back'>>()
