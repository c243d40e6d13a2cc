/**
 * The transfer as a TCC: the money is frozen in one bank and announced in the other, and only when both have agreed it moves. Nobody
 * can spend it twice meanwhile, and nobody sees it arrive before it is certain.
 */
import { type ParticipantDefinition, participant, participantAt, type RemoteCoordinator } from 'lockstep'
import { z } from 'zod'
import type { BankDatabase } from './bank-database.ts'
import { move } from './movement.ts'
import type { Order } from './transfer.ts'

const Entry = z.object({ account: z.string(), amount: z.number().int().positive() })

function withdraw(bank: string, database: BankDatabase) {
  return participant(`${bank}.withdraw`, {
    input: Entry,
    try: ({ account, amount }, branch) => move(database, branch, { account, balance: -amount, frozen: amount }),
    confirm: ({ account, amount }, branch) => move(database, branch, { account, frozen: -amount }),
    cancel: ({ account, amount }, branch) => move(database, branch, { account, frozen: -amount, balance: amount }),
  })
}

function deposit(bank: string, database: BankDatabase) {
  return participant(`${bank}.deposit`, {
    input: Entry,
    try: ({ account, amount }, branch) => move(database, branch, { account, incoming: amount }),
    confirm: ({ account, amount }, branch) => move(database, branch, { account, incoming: -amount, balance: amount }),
    cancel: ({ account, amount }, branch) => move(database, branch, { account, incoming: -amount }),
  })
}

export function tccParticipants(bank: string, database: BankDatabase): ParticipantDefinition[] {
  return [withdraw(bank, database), deposit(bank, database)]
}

/** Short, so that a bank which dies between the tries and the decision leaves nothing frozen for long. */
const deadline = '5s'

/** The bank that the money leaves initiates: it registers and tries both sides, then decides. */
export function transferByTcc(
  coordinator: Pick<RemoteCoordinator, 'tcc'>,
  bank: string,
  { id, from, toBank, to, amount }: Order,
) {
  return coordinator.tcc({ id, deadline }, (t) =>
    Promise.all([
      t.try(participantAt<ReturnType<typeof withdraw>>(`${bank}.withdraw`), { account: from, amount }),
      t.try(participantAt<ReturnType<typeof deposit>>(`${toBank}.deposit`), { account: to, amount }),
    ]),
  )
}
