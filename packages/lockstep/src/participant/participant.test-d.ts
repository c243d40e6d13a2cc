/** Compiled, never run: each `@ts-expect-error` is a mistake that the types must catch. */
import type { DatabaseSync } from 'node:sqlite'
import type { Client, Pool, PoolClient } from 'pg'
import { z } from 'zod'
import type { MemoryDatabase, MemoryTransaction } from '../adapters/memory-database.ts'
import type { TransactionOf } from './branch.ts'
import { participant } from './participant.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_T extends true>(): void => {}

declare const pool: Pool
declare const sqlite: DatabaseSync
const Transfer = z.object({ account: z.string(), amount: z.coerce.number() })

holds<Same<TransactionOf<Pool>, PoolClient>>()
holds<Same<TransactionOf<Client>, Client>>()
holds<Same<TransactionOf<DatabaseSync>, DatabaseSync>>()
holds<Same<TransactionOf<MemoryDatabase>, MemoryTransaction>>()

const debit = participant('bank-a.debit', {
  input: Transfer,
  action: (input, branch) =>
    branch.transact(pool, async (tx) => {
      holds<Same<typeof tx, PoolClient>>()
      holds<Same<typeof input, { account: string; amount: number }>>()
      return { receipt: `r-${branch.transaction}`, amount: input.amount }
    }),
  compensate: (input, branch) =>
    branch.transact(pool, async () => {
      holds<Same<typeof branch.output, { receipt: string; amount: number } | undefined>>()
      holds<Same<typeof input.amount, number>>()
      // @ts-expect-error the action's output has no such property
      branch.output?.recipt
    }),
})

type Shown<P> = P extends { readonly types?: { readonly input: infer Input; readonly output: infer Output } }
  ? [Input, Output]
  : never
holds<Same<Shown<typeof debit>, [{ account: string; amount: unknown }, { receipt: string; amount: number }]>>()
holds<Same<typeof debit.name, 'bank-a.debit'>>()

const silent = participant('bank-a.note', {
  input: z.string(),
  action: (input, branch) =>
    branch.transact(sqlite, (tx) => {
      tx.prepare('INSERT INTO note VALUES (?)').run(input)
    }),
})
holds<Same<Shown<typeof silent>, [string, null]>>()

const shaped = participant('bank-a.shaped', {
  input: z.object({ n: z.number() }),
  output: z.object({ text: z.string() }),
  action: (input, branch) => branch.transact(sqlite, () => ({ text: String(input.n) })),
})
holds<Same<Shown<typeof shaped>, [{ n: number }, { text: string }]>>()

participant('bank-a.wrong', {
  input: Transfer,
  // @ts-expect-error the input has no such property
  action: (input, branch) => branch.transact(pool, async () => input.acount),
})

participant('bank-a.date', {
  input: Transfer,
  // @ts-expect-error a Date would arrive as a text
  action: (_input, branch) => branch.transact(pool, async () => ({ at: new Date() })),
})

participant('bank-a.misshaped', {
  input: z.string(),
  // @ts-expect-error the action's output does not fit the schema
  output: z.object({ text: z.string() }),
  action: (_input, branch) => branch.transact(sqlite, () => ({ text: 1 })),
})

// @ts-expect-error an input schema is needed
participant('bank-a.schemaless', { action: () => null })

participant('bank-a.handle', {
  input: z.string(),
  action: (_input, branch) =>
    branch.transact(sqlite, (tx) => {
      // @ts-expect-error a SQLite handle has no query
      tx.query('SELECT 1')
    }),
})
