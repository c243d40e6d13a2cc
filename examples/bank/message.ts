/**
 * The transfer as a reliable message: one bank books the money out in its own database, and if and only if that commits the other
 * bank is told, until it has booked it in. Should it say no, the first bank is told, and books the money back.
 */
import { type ParticipantDefinition, participant, type RemoteCoordinator } from 'lockstep'
import { z } from 'zod'
import type { BankDatabase } from './bank-database.ts'
import { move } from './movement.ts'
import type { Order } from './transfer.ts'

const Payload = z.object({ from: z.string(), to: z.string(), amount: z.number().int().positive() })
/** What Lockstep tells the sender of a message that a receiver has refused. */
const Escalation = z.object({ transaction: z.string(), payload: Payload })

/** `<bank>.receive`, and `<bank>.refund` for what another bank has not taken. */
export function messageParticipants(bank: string, database: BankDatabase): ParticipantDefinition[] {
  const receive = participant(`${bank}.receive`, {
    input: Payload,
    deliver: ({ to, amount }, branch) => move(database, branch, { account: to, balance: amount }),
  })
  const refund = participant(`${bank}.refund`, {
    input: Escalation,
    // It comes in a transaction of its own, about the transfer that was refused.
    deliver: ({ transaction, payload: { from, amount } }, branch) =>
      move(database, branch, { account: from, balance: amount, transfer: transaction }),
  })
  return [receive, refund]
}

export function transferByMessage(
  coordinator: Pick<RemoteCoordinator, 'send'>,
  { bank, database }: { readonly bank: string; readonly database: BankDatabase },
  { id, from, toBank, to, amount }: Order,
) {
  const delivery = { to: { name: `${toBank}.receive` }, name: 'receive', escalate: { name: `${bank}.refund` } }
  return coordinator.send(
    { id, to: [delivery], payload: { from, to, amount } },
    { transaction: (branch) => move(database, branch, { account: from, balance: -amount }) },
  )
}
