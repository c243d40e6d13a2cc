/**
 * The transfer as a reliable message: one bank books the money out in its own database, and if and only if that commits the other
 * bank is told, until it has booked it in. Should it say no, the first bank is told, and books the money back.
 */
import { type ParticipantDefinition, participant, participantAt, type RemoteCoordinator } from 'lockstep'
import { z } from 'zod'
import type { BankDatabase } from './bank-database.ts'
import { move } from './movement.ts'
import type { Order } from './transfer.ts'

const Payload = z.object({ from: z.string(), to: z.string(), amount: z.number().int().positive() })
/** What Lockstep tells the sender of a message that a receiver has refused. */
const Escalation = z.object({ transaction: z.string(), payload: Payload })

function receive(bank: string, database: BankDatabase) {
  return participant(`${bank}.receive`, {
    input: Payload,
    deliver: ({ to, amount }, branch) => move(database, branch, { account: to, balance: amount }),
  })
}

/** For what another bank has not taken. It comes in a transaction of its own, about the transfer that was refused. */
function refund(bank: string, database: BankDatabase) {
  return participant(`${bank}.refund`, {
    input: Escalation,
    deliver: ({ transaction, payload: { from, amount } }, branch) =>
      move(database, branch, { account: from, balance: amount, transfer: transaction }),
  })
}

export function messageParticipants(bank: string, database: BankDatabase): ParticipantDefinition[] {
  return [receive(bank, database), refund(bank, database)]
}

export function transferByMessage(
  coordinator: Pick<RemoteCoordinator, 'send'>,
  { bank, database }: { readonly bank: string; readonly database: BankDatabase },
  { id, from, toBank, to: account, amount }: Order,
) {
  const to = participantAt<ReturnType<typeof receive>>(`${toBank}.receive`)
  const delivery = { to, name: 'receive', escalate: `${bank}.refund` }
  return coordinator.send(
    { id, to: [delivery], payload: { from, to: account, amount } },
    { transaction: (branch) => move(database, branch, { account: from, balance: -amount }) },
  )
}
