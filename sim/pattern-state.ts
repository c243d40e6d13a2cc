/** What the simulator reads out of the stored text of a transaction, whatever its pattern. */
import type { Operation, Pattern } from 'lockstep/ports'

/** How often one operation of one branch was tried, as the stored state counts it. */
export interface Tried {
  readonly branch: string
  readonly operation: Operation
  readonly count: number
  /** State of the branch. */
  readonly state: string
}

interface Count {
  readonly count: number
}

interface Counted {
  readonly state: string
  readonly tries: Count
}

interface SagaText {
  readonly steps: readonly { readonly state: string; readonly action: Count; readonly compensate: Count }[]
}

interface TccText {
  readonly branches: readonly { readonly state: string; readonly errand: { readonly tries: Count } }[]
}

interface MessageText {
  readonly check: { readonly tries: Count }
  readonly deliveries: readonly {
    readonly state: string
    readonly errand: { readonly tries: Count }
    readonly dueAt: number | null
    readonly escalation: string | null
  }[]
}

interface Named {
  readonly name: string
}

/** The columns of a row that belong to its pattern. */
export interface PatternText {
  readonly pattern: Pattern
  readonly definition: string
  readonly state: string
}

function stateIn<State>(text: PatternText): State {
  return (JSON.parse(text.state) as { state: State }).state
}

export function stepsOf(text: PatternText): SagaText['steps'] {
  return stateIn<SagaText>(text).steps
}

export function deliveriesOf(text: PatternText): MessageText['deliveries'] {
  return stateIn<MessageText>(text).deliveries
}

export function branchesOf(text: PatternText): TccText['branches'] {
  return stateIn<TccText>(text).branches
}

/** Names of the steps, branches or deliveries, in the order of the stored states. */
export function namesOf({ pattern, definition }: PatternText): readonly string[] {
  const read = JSON.parse(definition) as { steps?: Named[]; branches?: Named[]; deliveries?: Named[] } | null
  const named = { saga: read?.steps, tcc: read?.branches, message: read?.deliveries }[pattern as string] ?? []
  return named.map(({ name }) => name)
}

export function triedIn(text: PatternText, status: string): readonly Tried[] {
  const names = namesOf(text)
  if (text.pattern === 'saga') return stepsOf(text).flatMap((step, at) => sagaStep(names[at] ?? '', step))
  if (text.pattern === 'tcc') {
    const operation = status === 'committing' || status === 'committed' ? 'confirm' : 'cancel'
    return branchesOf(text).map((one, at) => tried(names[at], operation, { state: one.state, tries: one.errand.tries }))
  }
  if (text.pattern !== 'message') return []
  const { check, deliveries } = stateIn<MessageText>(text)
  const delivered = deliveries.map((one, at) =>
    tried(names[at], 'deliver', { state: one.state, tries: one.errand.tries }),
  )
  return [...delivered, tried('_local', 'check', { state: 'done', tries: check.tries })]
}

function sagaStep(branch: string, { state, action, compensate }: SagaText['steps'][number]): Tried[] {
  return [tried(branch, 'action', { state, tries: action }), tried(branch, 'compensate', { state, tries: compensate })]
}

function tried(branch: string | undefined, operation: Operation, { state, tries }: Counted): Tried {
  return { branch: branch ?? '', operation, count: tries.count, state }
}
