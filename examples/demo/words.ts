/** What the demo says of each pattern. */
import type { TransferPattern } from '../bank/transfer.ts'
import type { Tally } from './transfers.ts'

export interface Words {
  readonly what: string
  /** How the transfers have ended. */
  ended(tally: Tally): string
}

const repeated = ({ repeated: orders }: Tally) => `${orders} orders were repeated while somebody was away.`

export const words: Record<TransferPattern, Words> = {
  saga: {
    what: 'Each is a saga: money leaves one bank, then reaches the other. When that one refuses, the first step is undone.',
    ended: (tally) =>
      `${tally.committed} committed, ${tally.rolledBack} rolled back because a bank refused, ${tally.held} held; ${tally.repeated} begins were repeated while the coordinator was away.`,
  },
  tcc: {
    what: 'Each is a TCC: its bank freezes the money, announces it to the other bank, and decides. Until then nobody can spend it, in neither bank.',
    ended: (tally) =>
      `${tally.committed} committed, ${tally.rolledBack} rolled back because a bank refused or was killed, ${tally.held} held; ${repeated(tally)}`,
  },
  message: {
    what: 'Each is a reliable message: its bank books the money out, and if and only if that commits the other bank is told. What that one refuses is escalated: paid back.',
    ended: (tally) =>
      `${tally.committed - tally.escalated} delivered, ${tally.escalated} refused by the other bank and escalated, ${tally.rolledBack} rolled back before any money moved, ${tally.held} held; ${repeated(tally)}`,
  },
}
