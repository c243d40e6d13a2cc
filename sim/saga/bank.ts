/**
 * Banks: each a service with a database of its own. Even ones use the barrier; odd ones are plain participants that keep a ledger
 * themselves, as a service without the SDK would.
 */
import { type Branch, type Json, type ParticipantDefinition, participant, refuse } from 'lockstep'
import { type MemoryDatabase, type MemoryTransaction, memoryDatabase } from 'lockstep/memory-database'
import { anySchema } from '../any-schema.ts'

export interface TransferInput {
  readonly account: string
  readonly amount: number
  readonly refuse: boolean
}

export interface Bank {
  readonly name: string
  readonly barrier: boolean
  readonly database: MemoryDatabase
  readonly participants: ReadonlyMap<string, ParticipantDefinition>
}

export const openingBalance = 1_000

export interface BankParts {
  readonly name: string
  readonly barrier: boolean
  readonly accounts: readonly string[]
  readonly pause: (label: string) => Promise<void>
}

export async function openBank({ name, barrier, accounts, pause }: BankParts): Promise<Bank> {
  const database = memoryDatabase({ pause })
  const opening = await database.begin()
  for (const account of accounts) opening.set('accounts', account, openingBalance)
  opening.commit()
  const make = barrier ? withBarrier : plain
  const both = [make(`${name}.debit`, database, -1), make(`${name}.credit`, database, 1)]
  return { name, barrier, database, participants: new Map(both.map((one) => [one.name, one])) }
}

function withBarrier(name: string, database: MemoryDatabase, sign: number): ParticipantDefinition {
  const run = (input: TransferInput, branch: Branch, direction: number) =>
    branch.transact(database, async (tx) =>
      move(tx as MemoryTransaction, { input, branch, delta: sign * direction * input.amount }),
    )
  return participant(name, {
    input: anySchema<TransferInput>(),
    action: (input, branch) => run(input, branch, 1),
    compensate: (input, branch) => run(input, branch, -1),
  })
}

function plain(name: string, database: MemoryDatabase, sign: number): ParticipantDefinition {
  const run = async (input: TransferInput, branch: Branch, direction: number): Promise<Json> => {
    await database.pause('begun')
    const tx = await database.begin()
    try {
      const { output, refusal } = once(tx, { input, branch, delta: sign * direction * input.amount })
      await database.pause('before-commit')
      tx.commit()
      await database.pause('committed')
      if (refusal !== null) throw refusal
      return output
    } finally {
      tx.rollback()
    }
  }
  return participant(name, {
    input: anySchema<TransferInput>(),
    barrier: false,
    action: (input, branch) => run(input, branch, 1),
    compensate: (input, branch) => run(input, branch, -1),
  })
}

interface Movement {
  readonly input: TransferInput
  readonly branch: Branch
  readonly delta: number
}

interface Once {
  readonly output: Json
  readonly refusal: unknown
}

/**
 * The plain bank's own idempotence: it remembers per branch whether it ran, was reversed, or was refused. A refusal promises that
 * nothing will happen: a copy of the request that arrives when there is money again must be refused as well.
 */
function once(tx: MemoryTransaction, movement: Movement): Once {
  const { transaction, name, operation } = movement.branch
  const key = `${transaction}/${name}`
  const seen = tx.get('ledger', key)
  const forward = operation === 'action'
  if (forward && seen === 'reversed') refuse({ code: 'closed' })
  let refusal: unknown = null
  try {
    if (forward ? seen === undefined : seen === 'done') move(tx, movement)
  } catch (error) {
    refusal = error
  }
  tx.set('ledger', key, forward && refusal === null ? 'done' : 'reversed')
  return { output: { receipt: key }, refusal }
}

/** Moves money and leaves one effect row: the invariants count them. */
function move(tx: MemoryTransaction, { input, branch, delta }: Movement): Json {
  const { transaction, name: step, operation } = branch
  const balance = tx.get('accounts', input.account)
  if (typeof balance !== 'number') refuse({ code: 'no-such-account' })
  if (operation === 'action' && input.refuse) refuse({ code: 'account-closed' })
  if (operation === 'action' && balance + delta < 0) refuse({ code: 'insufficient-funds', balance })
  tx.set('accounts', input.account, balance + delta)
  const key = `${transaction}/${step}/${operation}`
  const times = tx.get('effects', key)
  tx.set('effects', key, typeof times === 'number' ? times + 1 : 1)
  return { receipt: `${transaction}/${step}` }
}

export function totalOf(banks: readonly Bank[]): number {
  return banks
    .flatMap((bank) => [...bank.database.read('accounts').values()])
    .reduce<number>((sum, value) => sum + Number(value), 0)
}

export function effectsOf(bank: Bank, transaction: string, step: string, operation: string): number {
  return Number(bank.database.read('effects').get(`${transaction}/${step}/${operation}`) ?? 0)
}
