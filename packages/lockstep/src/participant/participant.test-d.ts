/** Compiled, never run: each `@ts-expect-error` is a mistake that the types must catch. */
import type { DatabaseSync } from 'node:sqlite'
import type { Client, Pool, PoolClient } from 'pg'
import { z } from 'zod'
import type { MemoryDatabase, MemoryTransaction } from '../adapters/memory-database.ts'
import type { TransactionOf } from './branch.ts'
import type { ActionParticipant, DeliveryParticipant, Participant, TccParticipant } from './kinds.ts'
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

const hold = participant('seats.hold', {
  input: Transfer,
  try: (input, branch) =>
    branch.transact(pool, async (tx) => {
      holds<Same<typeof tx, PoolClient>>()
      holds<Same<typeof input, { account: string; amount: number }>>()
      // @ts-expect-error a try has no earlier output
      branch.output
      return { seat: input.account }
    }),
  confirm: (input, branch) =>
    branch.transact(pool, async () => {
      holds<Same<typeof input.amount, number>>()
      holds<Same<typeof branch.output, { seat: string } | undefined>>()
      holds<Same<typeof branch.empty, boolean>>()
      // @ts-expect-error the output of the try has no such property
      branch.output?.saet
    }),
  cancel: (_input, branch) =>
    branch.transact(pool, async () => {
      holds<Same<typeof branch.output, { seat: string } | undefined>>()
    }),
})
holds<Same<Shown<typeof hold>, [{ account: string; amount: unknown }, { seat: string }]>>()

const award = participant('points.award', {
  input: Transfer,
  deliver: (input, branch) =>
    branch.transact(sqlite, (tx) => {
      tx.prepare('INSERT INTO points VALUES (?)').run(input.account)
    }),
})
holds<Same<Shown<typeof award>, [{ account: string; amount: unknown }, null]>>()

const transformed = participant('seats.transformed', {
  input: z.string(),
  output: z.object({ seat: z.string().transform(Number) }),
  try: (input, branch) => branch.transact(sqlite, () => ({ seat: input })),
  confirm: (_input, branch) => {
    holds<Same<typeof branch.output, { seat: string } | undefined>>()
  },
  cancel: () => null,
})
holds<Same<Shown<typeof transformed>, [string, { seat: number }]>>()

// Each kind fits only where it is asked for.
declare function step(participant: ActionParticipant): void
declare function attempt(participant: TccParticipant): void
declare function send(to: DeliveryParticipant): void
declare function register(participant: Participant): void
step(debit)
attempt(hold)
send(award)
for (const one of [debit, hold, award]) register(one)
holds<
  Same<typeof debit, ActionParticipant<z.input<typeof Transfer>, { receipt: string; amount: number }, 'bank-a.debit'>>
>()
holds<Same<typeof hold, TccParticipant<z.input<typeof Transfer>, { seat: string }, 'seats.hold'>>>()
holds<Same<typeof award, DeliveryParticipant<z.input<typeof Transfer>, null, 'points.award'>>>()
// @ts-expect-error a saga has no use for a try
step(hold)
// @ts-expect-error nor for a receiver of messages
step(award)
// @ts-expect-error a step cannot be tried
attempt(debit)
// @ts-expect-error a step receives no message
send(debit)
// @ts-expect-error the input is known
const other: TccParticipant<{ seat: string }> = hold

// What an action answers does not change what it is.
const failing = participant('bank-a.failing', {
  input: z.string(),
  action: () => {
    throw new Error('not yet')
  },
})
step(failing)
const parsing = participant('bank-a.parsing', { input: z.string(), action: (input) => JSON.parse(input) })
step(parsing)

// @ts-expect-error a TCC participant must be able to cancel
participant('seats.endless', { input: z.string(), try: () => null, confirm: () => null })

// @ts-expect-error one participant is of one kind
participant('seats.mixed', {
  input: z.string(),
  action: () => null,
  try: () => null,
  confirm: () => null,
  cancel: () => null,
})

// @ts-expect-error only a TCC has an empty cancel
participant('bank-a.empty', { input: z.string(), action: () => null, cancelOnEmpty: true })

participant('seats.date', {
  input: z.string(),
  // @ts-expect-error a Date would arrive as a text
  try: (_input, branch) => branch.transact(pool, async () => ({ at: new Date() })),
  confirm: () => null,
  cancel: () => null,
})

// @ts-expect-error a participant does something
participant('bank-a.idle', { input: z.string() })

void other
