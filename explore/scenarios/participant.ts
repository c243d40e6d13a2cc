/**
 * One branch at its participant: the real rules of the barrier over a handful of rows in memory, and what the business did.
 *
 * `passBarrier` is asynchronous and the search is not, so everything that can ever happen to one branch is computed first: from no rows,
 * every operation in every situation that it leads to, until nothing new comes. There are a few dozen. A database transaction is
 * one step: it commits as a whole or leaves nothing, and whoever would wait for a lock comes before it or after it.
 */
import type { BarrierRow, BarrierRows, Operation, Outcome } from 'lockstep/ports'
import { Verdict, verdictOf } from 'lockstep/ports'
import { mutant, passBarrier } from 'lockstep/testing'

/** Where a branch stands in the participant's database. */
export interface Standing {
  readonly rows: Readonly<Partial<Record<Operation, BarrierRow>>>
  /** How often the business of each operation took effect. */
  readonly ran: Readonly<Partial<Record<Operation, number>>>
  /** A reversal was answered `done`: nothing that it reverses may take effect any more. */
  readonly reversed: boolean
  /** How the barrier has broken its word. */
  readonly fault: string | null
}

/** One way an operation may end. */
export interface Answer {
  /** Number of the standing that it leaves. */
  readonly to: number
  readonly outcome: Outcome
  readonly text: string
  /** The business said no where it could have said yes. */
  readonly refusedByBusiness: boolean
}

export interface Participant {
  readonly standings: readonly Standing[]
  answers(standing: number, operation: Operation): readonly Answer[]
}

export interface ParticipantOptions {
  readonly operations: readonly Operation[]
  /** Operations whose business may refuse. */
  readonly mayRefuse: readonly Operation[]
}

const reversals: readonly Operation[] = ['compensate', 'cancel', 'check']
const untouched: Standing = { rows: {}, ran: {}, reversed: false, fault: null }

/** Runs every operation in every standing. */
export async function participantWithBarrier({ operations, mayRefuse }: ParticipantOptions): Promise<Participant> {
  const standings: Standing[] = [untouched]
  const numbers = new Map([[JSON.stringify(untouched), 0]])
  const table: Map<Operation, readonly Answer[]>[] = []
  const numberOf = (standing: Standing): number => {
    const text = JSON.stringify(standing)
    const known = numbers.get(text) ?? standings.push(standing) - 1
    numbers.set(text, known)
    return known
  }
  for (let at = 0; at < standings.length; at++) {
    const answers = new Map<Operation, readonly Answer[]>()
    // What is broken stays broken: nothing after it counts.
    const isBroken = standings[at]?.fault !== null
    for (const operation of isBroken ? [] : operations) {
      const saysNo = mayRefuse.includes(operation) ? [false, true] : [false]
      const runs = saysNo.map((refuses) => run(standings[at] ?? untouched, operation, refuses))
      answers.set(operation, distinct((await Promise.all(runs)).map((ran) => ({ ...ran, to: numberOf(ran.standing) }))))
    }
    table.push(answers)
  }
  return { standings, answers: (standing, operation) => table[standing]?.get(operation) ?? [] }
}

type Run = Omit<Answer, 'to'> & { readonly standing: Standing }

function distinct(answers: readonly (Answer & Run)[]): Answer[] {
  const seen = new Map(
    answers.map(({ standing: _, ...answer }) => [JSON.stringify([answer.to, answer.outcome]), answer]),
  )
  return [...seen.values()]
}

/** One database transaction at the participant. */
async function run(from: Standing, operation: Operation, refuses: boolean): Promise<Run> {
  const rows = new Map(Object.entries(from.rows)) as Map<Operation, BarrierRow>
  let ran = false
  const business = async (): Promise<null> => {
    if (refuses) throw new Verdict({ kind: 'refused', reason: { code: 'business' } })
    ran = true
    return null
  }
  const call = { store: 's', transaction: 't', branch: 'b', operation, inputHash: 'h' } as const
  try {
    const passing = mutant('M01-no-barrier-row') ? business() : passBarrier(call, rowsIn(rows), business)
    const outcome: Outcome = { kind: 'done', output: await passing }
    const kept = Object.fromEntries([...rows].sort(([left], [right]) => (left < right ? -1 : 1)))
    return judged(from, operation, { outcome, ran, rows: kept })
  } catch (error) {
    const outcome = verdictOf(error)
    if (outcome === null) throw error
    const refusedByBusiness = refuses && JSON.stringify(outcome).includes('business')
    return { standing: from, outcome, text: `${operation} ${spoken(outcome)}`, refusedByBusiness }
  }
}

function rowsIn(rows: Map<Operation, BarrierRow>): BarrierRows {
  return {
    insert: async ({ operation }, row) => !rows.has(operation) && rows.set(operation, row) !== undefined,
    find: async ({ operation }) => rows.get(operation) ?? null,
    async complete({ operation }, output) {
      const row = rows.get(operation)
      if (row !== undefined) rows.set(operation, { ...row, output })
    },
  }
}

interface Done {
  readonly outcome: Outcome
  readonly ran: boolean
  readonly rows: Standing['rows']
}

function judged(from: Standing, operation: Operation, { outcome, ran, rows }: Done): Run {
  const count = (from.ran[operation] ?? 0) + (ran ? 1 : 0)
  const isReversal = reversals.includes(operation) && !isCommit(outcome)
  const fault = from.fault ?? faultOf(from, operation, { ran, count })
  const standing: Standing = {
    rows,
    ran: count === 0 ? from.ran : sortedBy({ ...from.ran, [operation]: count }),
    reversed: from.reversed || isReversal,
    fault,
  }
  const text = ran ? `${operation} takes effect` : `${operation} changes nothing`
  return { standing, outcome, text: `${text}: ${spoken(outcome)}`, refusedByBusiness: false }
}

function faultOf(from: Standing, operation: Operation, { ran, count }: { ran: boolean; count: number }): string | null {
  if (ran && count > 1) return `${operation} took effect twice`
  if (ran && operation === 'cancel' && (from.ran.confirm ?? 0) > 0) return 'cancel took effect after confirm'
  if (!from.reversed || reversals.includes(operation)) return null
  return ran
    ? `${operation} took effect after its reversal`
    : `${operation} was answered done after its reversal (law 3)`
}

function isCommit(outcome: Outcome): boolean {
  return outcome.kind === 'done' && (outcome.output as { readonly decision?: unknown } | null)?.decision === 'commit'
}

function spoken(outcome: Outcome): string {
  if (outcome.kind === 'refused') return `refused (${(outcome.reason as { readonly code: string }).code})`
  if (outcome.kind === 'unknown') return outcome.code ?? 'unknown'
  if (outcome.kind !== 'done' || outcome.output === null) return outcome.kind
  return `done (${(outcome.output as { readonly decision: string }).decision})`
}

function sortedBy<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)))
}

const done: Outcome = { kind: 'done', output: null }

function answer(to: number, text: string, outcome: Outcome = done): Answer {
  const refusedByBusiness = outcome.kind === 'refused' && text.includes('business')
  return { to, outcome, text: `${text}: ${spoken(outcome)}`, refusedByBusiness }
}

function says(code: 'business' | 'closed', to: number): Answer {
  return answer(to, `action is refused by its ${code === 'business' ? code : 'memory'}`, {
    kind: 'refused',
    reason: { code },
  })
}

const acts = (to: number): Answer => answer(to, 'action takes effect')
const repeats = (to: number): Answer => answer(to, 'action changes nothing')
const reverses = (to: number): Answer => answer(to, 'compensate takes effect')
const passes = (to: number): Answer => answer(to, 'compensate changes nothing')

const acted: Standing = { ...untouched, ran: { action: 1 } }
const reversed: Standing = { ...untouched, reversed: true }
const both: Standing = { ...untouched, ran: { action: 1, compensate: 1 }, reversed: true }

/**
 * A plain URL that keeps the four promises of docs/guarantees.md: it answers a repeat as it did at first, takes a compensation of nothing as
 * done, refuses the action after that, and remembers a refusal.
 */
export const participantWithPromises: Participant = tabled(
  [untouched, acted, untouched, reversed, both],
  [[acts(1), says('business', 2)], [repeats(1)], [says('closed', 2)], [says('closed', 3)], [says('closed', 4)]],
  [[passes(3)], [reverses(4)], [passes(3)], [passes(3)], [passes(4)]],
)

/**
 * A plain URL that only knows by itself what it has done for a transaction: repeats change nothing, but an action that comes after its
 * reversal takes effect. Only the coordinator can keep it from coming so late.
 */
export const participantWithoutMemory: Participant = tabled(
  [untouched, acted, reversed, both, { ...acted, reversed: true, fault: 'action took effect after its reversal' }],
  [[acts(1), says('business', 0)], [repeats(1)], [acts(4), says('business', 2)], [acts(4), says('business', 3)], []],
  [[passes(2)], [reverses(3)], [passes(2)], [passes(3)], []],
)

function tabled(
  standings: readonly Standing[],
  actions: readonly (readonly Answer[])[],
  compensations: readonly (readonly Answer[])[],
): Participant {
  return {
    standings,
    answers: (standing, operation) => (operation === 'action' ? actions : compensations)[standing] ?? [],
  }
}
