/**
 * A bank whose accounts have three columns: what is available, what a try has frozen, and what a try has announced. Money leaves with a
 * confirm and arrives with a confirm; nothing else changes the sum of available and frozen.
 */
import { type Branch, type LaterBranch, type Participant, participant, refuse } from 'lockstep'
import type { MemoryTransaction } from 'lockstep/memory-database'
import type { Operation } from 'lockstep/ports'
import { anySchema } from '../any-schema.ts'
import { leaveEffect } from '../effect-log.ts'
import type { DatabaseClient } from '../shared-database.ts'

export interface MoveInput {
  readonly account: string
  readonly amount: number
  /** The try is refused, whatever there is on the account. */
  readonly refuse: boolean
  /** The second phase is refused as long as the bank is ill: a defect of the participant. */
  readonly stubborn: boolean
}

export const accounts: readonly string[] = Array.from({ length: 5 }, (_, number) => `account-${number}`)
export const openingBalance = 1_000

export type Column = 'available' | 'frozen' | 'incoming'
type Change = Readonly<Partial<Record<Column, number>>>

/** What each operation does to the columns, in units of the amount. */
const changes: Readonly<Record<'out' | 'in', Readonly<Partial<Record<Operation, Change>>>>> = {
  out: { try: { available: -1, frozen: 1 }, confirm: { frozen: -1 }, cancel: { available: 1, frozen: -1 } },
  in: { try: { incoming: 1 }, confirm: { available: 1, incoming: -1 }, cancel: { incoming: -1 } },
}

export function changeOf(direction: 'out' | 'in', operation: Operation): Change {
  return changes[direction][operation] ?? {}
}

export function prepareAccounts(tx: MemoryTransaction): void {
  for (const account of accounts) {
    tx.set('available', account, openingBalance)
    tx.set('frozen', account, 0)
    tx.set('incoming', account, 0)
  }
}

interface Output {
  readonly receipt: string
}

export type Mover = Participant<MoveInput, Output>

/** `<bank>.out` and `<bank>.in`, over the connections of one process. */
export function moversOf(bank: string, database: DatabaseClient, isIll: () => boolean): readonly Mover[] {
  return (['out', 'in'] as const).map((direction) => {
    const move = (input: MoveInput, branch: Branch, tx: unknown) =>
      apply(tx as MemoryTransaction, { direction, input, branch })
    const later = (input: MoveInput, branch: LaterBranch<Output>) =>
      branch.transact(database, async (tx) => {
        if (input.stubborn && isIll()) refuse({ code: 'not-now' })
        const known = branch.output
        if (known !== undefined && known.receipt !== receiptOf(branch))
          throw new Error(`${branch.operation} was given ${known.receipt} as the receipt of its try`)
        return move(input, branch, tx)
      })
    return participant(`${bank}.${direction}`, {
      input: anySchema<MoveInput>(),
      try: (input, branch) =>
        branch.transact(database, async (tx) => {
          if (input.refuse) refuse({ code: 'account-closed' })
          return move(input, branch, tx)
        }),
      confirm: later,
      cancel: later,
    }) as Mover
  })
}

interface Movement {
  readonly direction: 'out' | 'in'
  readonly input: MoveInput
  readonly branch: Branch
}

function apply(tx: MemoryTransaction, { direction, input, branch }: Movement): Output {
  const { transaction, name, operation } = branch
  const { account, amount } = input
  for (const [column, sign] of Object.entries(changeOf(direction, operation))) {
    const value = Number(tx.get(column, account)) + sign * amount
    if (value < 0 && operation === 'try') refuse({ code: 'insufficient-funds' })
    if (value < 0) throw new Error(`${operation} of ${transaction}/${name} would leave ${column} at ${value}`)
    tx.set(column, account, value)
  }
  leaveEffect(tx, { transaction, branch: name, operation, what: { direction, account, amount } })
  return { receipt: receiptOf(branch) }
}

function receiptOf({ transaction, name }: Branch): string {
  return `${transaction}/${name}`
}
