/** Seats that are held, sold and freed through real participants, in a real little account table. */
import { z } from 'zod'
import { checkBack } from '../src/participant/check-back.ts'
import type { Branch } from '../src/participant/index.ts'
import { localBranch } from '../src/participant/local-branch.ts'
import { participant } from '../src/participant/participant.ts'
import { refuse } from '../src/participant/refuse.ts'
import type { Outcome } from '../src/ports/index.ts'
import { verdictOf } from '../src/ports/index.ts'
import { call, surroundings } from './barrier-call.ts'
import type { Account, MessageOperation, Place, TccOperation } from './tcc-orders-oracle.ts'
import { moves, seatsWanted } from './tcc-orders-oracle.ts'

export interface Seen {
  readonly account: Account
  /** The businesses that have run, as they wrote it down themselves. */
  readonly ledger: readonly string[]
}

/** One database with the tables `account` and `ledger`; an account has the id of the one transaction that uses it. */
export interface SeatBench {
  readonly handle: object
  /** A second connection to the same data, where it can have one. */
  readonly other: object
  /** How many transactions it can have open at once. */
  readonly lanes: number
  open(accounts: readonly string[], available: number): Promise<void>
  /** Inside the open transaction: moves the seats and writes the ledger. False, and nothing moved, when there are too few. */
  move(tx: unknown, account: string, seats: SeatMove): Promise<boolean>
  seen(account: string): Promise<Seen>
  /** How many barrier rows the transaction has. */
  rows(account: string): Promise<number>
  close(): Promise<void>
}

export interface SeatMove {
  readonly operation: string
  readonly from: Place
  readonly to: Place
  readonly seats: number
}

export interface Arrival {
  readonly transaction: string
  readonly operation: TccOperation | MessageOperation
  readonly other?: boolean
  /** Awaited inside the business, after its effect. */
  readonly inside?: () => Promise<void>
}

export interface Seats {
  /** One arrival, as what the caller is told. */
  arrive(arrival: Arrival): Promise<Outcome>
}

const Hold = z.object({ account: z.string(), seats: z.number().positive() })

export function seatsOn(bench: SeatBench): Seats {
  const business = async (tx: unknown, { transaction, operation, inside }: Arrival): Promise<void> => {
    const [from, to] = moves[operation as TccOperation]
    const moved = await bench.move(tx, transaction, { operation, from, to, seats: seatsWanted })
    if (!moved) refuse({ code: 'sold-out' })
    await inside?.()
  }
  const handleOf = ({ other }: Arrival): object => (other === true ? bench.other : bench.handle)
  return {
    arrive(arrival) {
      const { transaction, operation } = arrival
      const input = { account: transaction, seats: seatsWanted }
      const run = <Output>(branch: Branch, output: () => Output): Promise<Output> =>
        branch.transact(handleOf(arrival), async (tx) => {
          await business(tx, arrival)
          return output()
        })
      if (operation === 'action') return actLocally(transaction, input, run)
      if (operation === 'check') {
        return call(checkBack('seats', { pool: handleOf(arrival) }), 'check', input, { transaction, branch: '_local' })
      }
      const hold = participant('seats.hold', {
        input: Hold,
        try: (_input, branch) => run(branch, () => 'held'),
        confirm: (_input, branch) => run(branch, () => `${branch.output}, sold`),
        cancel: (_input, branch) => run(branch, () => `${branch.output}, freed`),
      })
      return call(hold, operation, input, { transaction })
    },
  }
}

/** The local transaction of a message, with what it threw told as an outcome. */
async function actLocally(
  transaction: string,
  input: { readonly account: string; readonly seats: number },
  run: (branch: Branch, output: () => string) => Promise<string>,
): Promise<Outcome> {
  const facts = { store: '1f2e3d4c', transaction, input, begunAt: Date.now(), traceparent: null }
  const { branch } = localBranch({ ...facts, surroundings: surroundings() })
  try {
    return { kind: 'done', output: await run(branch, () => 'sold') }
  } catch (error) {
    return verdictOf(error) ?? { kind: 'unknown', error: String(error) }
  }
}

export function told(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'done':
      return `done ${JSON.stringify(outcome.output)}`
    case 'refused':
      return `refused ${(outcome.reason as { readonly code: string }).code}`
    case 'unknown':
      return `unknown ${outcome.code ?? outcome.error}`
    case 'pending':
      return 'pending'
  }
}
