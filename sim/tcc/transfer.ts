import type { RandomStream } from '@lockstep/testkit'
import type { MoveInput, Mover } from './accounts.ts'
import { accounts } from './accounts.ts'

/** What the function given to `tcc` does besides trying. */
export const behaviours = ['plain', 'parallel', 'catches', 'throws', 'slow', 'forgets'] as const
export type Behaviour = (typeof behaviours)[number]

export interface Move {
  readonly name: string
  readonly bank: number
  /** For `t.try`: its name is all that a try needs. */
  readonly participant: Pick<Mover, 'name'>
  readonly input: MoveInput
}

export interface TccTransfer {
  readonly id: string
  readonly moves: readonly Move[]
  readonly deadlineMs: number | null
  readonly behaviour: Behaviour
  /** A bare client commits it without knowing that every try is done. */
  readonly careless: boolean
  /** Registered by bare clients around the decision. */
  readonly late: Move | null
  /** An operator has asked to force it. */
  forced: boolean
}

export interface Drawing {
  readonly banks: number
  readonly amountMax: number
  readonly careless: number
}

/** Two or three accounts: what leaves one is what arrives at the others. */
export function drawTransfer(random: RandomStream, id: string, { banks, amountMax, careless }: Drawing): TccTransfer {
  const amount = random.integer('amount', 2, amountMax)
  const parts = random.chance('three', 0.5) ? [amount, amount - 1, 1] : [amount, amount]
  const moves = parts.map((part, position) =>
    drawMove(random, { name: `b${position}`, direction: position === 0 ? 'out' : 'in', amount: part, banks }),
  )
  const isCareless = random.chance('careless', careless)
  const isLate = random.chance('late branch', 0.3)
  const late = drawMove(random, { name: 'late', direction: 'in', amount: 1, banks })
  const hasDeadline = random.chance('deadline', 0.5)
  const deadlineMs = random.integer('deadline', 500, 30_000)
  return {
    id,
    moves,
    deadlineMs: hasDeadline ? deadlineMs : null,
    behaviour: random.pick('behaviour', behaviours),
    careless: isCareless,
    late: isLate ? late : null,
    forced: false,
  }
}

interface MoveDrawing {
  readonly name: string
  readonly direction: 'out' | 'in'
  readonly amount: number
  readonly banks: number
}

function drawMove(random: RandomStream, { name, direction, amount, banks }: MoveDrawing): Move {
  const bank = random.integer('bank', 0, banks - 1)
  const account = random.pick('account', accounts)
  const refuse = random.chance('refuse', 0.1)
  const stubborn = random.chance('stubborn', 0.05)
  const participant = { name: `bank-${bank}.${direction}` }
  return { name, bank, participant, input: { account, amount, refuse, stubborn } }
}
