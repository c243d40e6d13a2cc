/**
 * What must come out of any order of arrivals, told from the table of the guide (transactions.md, section 4) and without a word of
 * rows: which business has run, and what has shut what out. It knows nothing of the barrier's code.
 */
export type TccOperation = 'try' | 'confirm' | 'cancel'
export type MessageOperation = 'action' | 'check'

export type Place = 'available' | 'frozen' | 'sold'
export type Account = Readonly<Record<Place, number>>

/** Where the seats go when the business of an operation runs. */
export const moves: Readonly<Record<TccOperation | 'action', readonly [from: Place, to: Place]>> = {
  try: ['available', 'frozen'],
  confirm: ['frozen', 'sold'],
  cancel: ['frozen', 'available'],
  action: ['available', 'sold'],
}

export const seatsWanted = 2

export interface Truth {
  /** The businesses that have run, in order. */
  readonly effects: readonly (TccOperation | 'action')[]
  /** A cancel, or a check that found nothing, was accepted: what it excludes can never happen. */
  readonly shut: boolean
  /** A check was answered, and is remembered. */
  readonly asked: boolean
  readonly account: Account
}

export interface Told {
  readonly answer: string
  readonly truth: Truth
}

export function beginning(available: number): Truth {
  return { effects: [], shut: false, asked: false, account: { available, frozen: 0, sold: 0 } }
}

export function tccTold(truth: Truth, operation: TccOperation): Told {
  const { effects, shut } = truth
  const has = (effect: TccOperation): boolean => effects.includes(effect)
  switch (operation) {
    case 'try':
      if (shut) return { answer: 'refused closed', truth }
      if (has('try')) return { answer: 'done "held"', truth }
      if (truth.account.available < seatsWanted) return { answer: 'refused sold-out', truth }
      return { answer: 'done "held"', truth: withEffect(truth, 'try') }
    case 'confirm':
      if (shut) return { answer: 'refused closed', truth }
      if (has('confirm')) return { answer: 'done "held, sold"', truth }
      if (!has('try')) return { answer: 'unknown try-missing', truth }
      return { answer: 'done "held, sold"', truth: withEffect(truth, 'confirm') }
    case 'cancel':
      if (has('confirm')) return { answer: 'refused closed', truth }
      if (!has('try')) return { answer: 'done null', truth: { ...truth, shut: true } }
      if (shut) return { answer: 'done "held, freed"', truth }
      return { answer: 'done "held, freed"', truth: { ...withEffect(truth, 'cancel'), shut: true } }
  }
}

export function messageTold(truth: Truth, operation: MessageOperation): Told {
  const committed = truth.effects.includes('action')
  if (operation === 'check') {
    if (committed) return { answer: 'done {"decision":"commit"}', truth: { ...truth, asked: true } }
    return { answer: 'done {"decision":"rollback"}', truth: { ...truth, asked: true, shut: true } }
  }
  if (truth.shut) return { answer: 'refused closed', truth }
  return { answer: 'done "sold"', truth: committed ? truth : withEffect(truth, 'action') }
}

function withEffect(truth: Truth, effect: TccOperation | 'action'): Truth {
  const [from, to] = moves[effect]
  const { account } = truth
  const moved = { ...account, [from]: account[from] - seatsWanted, [to]: account[to] + seatsWanted }
  return { ...truth, effects: [...truth.effects, effect], account: moved }
}

/** All sequences of one length. */
export function sequences<Operation>(operations: readonly Operation[], length: number): Operation[][] {
  if (length === 0) return [[]]
  return sequences(operations, length - 1).flatMap((rest) => operations.map((operation) => [...rest, operation]))
}

export function sequencesUpTo<Operation>(operations: readonly Operation[], longest: number): Operation[][] {
  return Array.from({ length: longest }, (_, index) => sequences(operations, index + 1)).flat()
}
