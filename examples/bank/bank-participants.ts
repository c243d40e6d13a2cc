import { type Branch, type Json, type ParticipantDefinition, participant, refuse } from 'lockstep'
import { z } from 'zod'
import type { BankDatabase, Movement } from './bank-database.ts'

const Entry = z.object({ account: z.string(), amount: z.number().int().positive() })
type Entry = z.infer<typeof Entry>

/** `<bank>.debit` and `<bank>.credit`: what a bank does for a transfer, and how it takes it back. */
export function bankParticipants(bank: string, database: BankDatabase): ParticipantDefinition[] {
  const move = (branch: Branch, movement: Movement) =>
    database.transact(branch, async (apply): Promise<Json> => {
      const moved = await withinBalance(() => apply(movement), movement)
      if (moved === null) refuse({ code: 'no-such-account', account: movement.account })
      return { account: movement.account, balance: moved.balance }
    })
  const operation = (sign: number) => ({
    input: Entry,
    action: ({ account, amount }: Entry, branch: Branch) => move(branch, { account, delta: sign * amount }),
    compensate: ({ account, amount }: Entry, branch: Branch) => move(branch, { account, delta: -sign * amount }),
  })
  return [participant(`${bank}.debit`, operation(-1)), participant(`${bank}.credit`, operation(1))]
}

/** The database itself keeps balances from going below zero; its refusal is the bank's. */
async function withinBalance<T>(apply: () => Promise<T>, { account }: Movement): Promise<T> {
  try {
    return await apply()
  } catch (error) {
    const { errcode, code } = error as { errcode?: number; code?: string }
    const sqliteCheck = 275
    const postgresCheck = '23514'
    if (errcode === sqliteCheck || code === postgresCheck) refuse({ code: 'insufficient-funds', account })
    throw error
  }
}
