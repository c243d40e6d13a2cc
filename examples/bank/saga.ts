/** The transfer as a saga: money leaves one bank, then reaches the other; what was done is undone when the other says no. */
import { type Branch, type ParticipantDefinition, participant } from 'lockstep'
import { z } from 'zod'
import type { BankDatabase } from './bank-database.ts'
import { move } from './movement.ts'
import type { Transfer } from './transfer.ts'

const Entry = z.object({ account: z.string(), amount: z.number().int().positive() })
type Entry = z.infer<typeof Entry>

/** `<bank>.debit` and `<bank>.credit`. */
export function sagaParticipants(bank: string, database: BankDatabase): ParticipantDefinition[] {
  const step = (name: string, sign: number) =>
    participant(`${bank}.${name}`, {
      input: Entry,
      action: ({ account, amount }: Entry, branch: Branch) =>
        move(database, branch, { account, balance: sign * amount }),
      compensate: ({ account, amount }: Entry, branch: Branch) =>
        move(database, branch, { account, balance: -sign * amount }),
    })
  return [step('debit', -1), step('credit', 1)]
}

/** What a client sends to the coordinator to begin it. */
export function sagaBody({ id, fromBank, from, toBank, to, amount }: Transfer) {
  const steps = [
    { name: 'debit', participant: `${fromBank}.debit`, input: { account: from, amount } },
    { name: 'credit', participant: `${toBank}.credit`, input: { account: to, amount } },
  ]
  return { id, pattern: 'saga', steps }
}
