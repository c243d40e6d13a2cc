/**
 * A copy of an earlier epoch. Its instance was paused and goes on as if nothing had happened: nothing it writes becomes durable, but it may
 * still send what is justified by what it knows to be durable, and go on with what it hears.
 *
 * One that can only repeat what was sent before is forgotten: what was sent once may be executed at any time, any number of times, so it
 * adds nothing. For the same reason it is not told that a call was lost, and learns of the time only where that lets it send something. That
 * it ends (its compare fails, its process dies) need not be a move: a copy may always do nothing.
 */
import type { Operation, Outcome } from 'lockstep/ports'
import { mutant } from 'lockstep/testing'
import type { Call, Copy } from './copy.ts'
import { momentsFor } from './machine.ts'
import { spokenCall, spokenOutcome } from './spoken.ts'
import type { Emit, Parts, State } from './world.ts'

interface Turn<Rest> {
  readonly state: State<Rest>
  readonly copy: Copy
  readonly parts: Parts<Rest>
  readonly emit: Emit<Rest>
}

export function movesOfStale<Rest>(turn: Turn<Rest>): void {
  const { state, copy, parts, emit } = turn
  write(turn)
  for (const call of copy.calls) {
    if (call.stage === 'ready' && parts.scenario.mayLeaveLate(call)) {
      const world = parts.scenario.send(state.world, call)
      const left = parts.copies.leave(copy, call)
      emit({ ...state, world, stale: left, text: `{stale} sends ${spokenCall(call)}`, heals: false })
    }
    hear(turn, call)
  }
  for (const [position, wait] of copy.shape.waits.entries()) {
    const woken = wait.kind === 'quiet' ? null : parts.copies.wake(copy, position)
    if (woken !== null) emit({ ...state, stale: woken, text: '{stale}: its back-off is over', heals: false })
  }
  const turned = turnedFrom(copy, parts)
  if (turned !== null) emit({ ...state, stale: turned, text: '{stale}: its time has come', heals: false })
}

/** A turn after which it may send more: a check-back, but no reversal, whose rollback never becomes durable. */
function turnedFrom<Rest>(copy: Copy, { copies }: Parts<Rest>): Copy | null {
  const turned = momentsFor(copy.shape).length > 1 ? copies.turn(copy) : null
  const isReady = ({ stage }: Call): boolean => stage === 'ready'
  return turned !== null && turned.calls.filter(isReady).length > copy.calls.filter(isReady).length ? turned : null
}

/** A batch that landed before the claim is answered after it. */
function write<Rest>({ state, copy, parts, emit }: Turn<Rest>): void {
  const { batch, landed } = copy
  if (batch === null) return
  const stale = parts.copies.answered(copy)
  if (landed) {
    emit({ ...state, stale, text: 'the write of {stale} is answered', heals: false })
    return
  }
  const row = parts.rows.of(batch.shape, batch.owned)
  const text = `{stale} makes it durable, although its epoch is over: ${batch.shape.spoken}`
  emit({ ...state, row, stale, text, heals: false })
}

function hear<Rest>({ state, copy, parts, emit }: Turn<Rest>, call: Call): void {
  const { copies, scenario } = parts
  if (call.answer !== null) {
    const text = `an answer arrives; {stale} hears ${spokenOutcome(call.answer)}`
    emit({ ...state, stale: copies.land(copy, call, call.answer, 'early'), text, heals: false })
  }
  if (call.stage !== 'sent') return
  for (const { world, outcome, text } of scenario.executions(state.world, call)) {
    const told = `${text}; {stale} hears ${spokenOutcome(outcome)}`
    emit({ ...state, world, stale: copies.land(copy, call, outcome, 'early'), text: told, heals: false })
  }
}

/** The known bugs M12, a write without the condition on the epoch, and L5, a claim that leaves the epoch as it is. */
function comparesNothing(): boolean {
  return mutant('M12-write-without-epoch') || mutant('L5-claim-keeps-epoch')
}

/** What is left of a copy once the epoch has moved on: null when it adds nothing. */
export class StaleCopies<Rest> {
  readonly #parts: Parts<Rest>
  readonly #reach = new Map<Copy, number>()

  constructor(parts: Parts<Rest>) {
    this.#parts = parts
  }

  of(copy: Copy | null, sent: number): Copy | null {
    if (copy === null || comparesNothing()) return copy
    if (copy.dead || copy.leaving) return null
    const left = this.#parts.copies.outdated(copy)
    return (this.#reachOf(left) & ~sent) === 0 ? null : left
  }

  /** Every operation that it may ever send, whatever it is answered. */
  #reachOf(copy: Copy): number {
    const known = this.#reach.get(copy)
    if (known !== undefined) return known
    const { copies, scenario } = this.#parts
    const seen = new Set([copy])
    let reach = 0
    for (const one of seen) {
      for (const call of one.calls) {
        if (call.stage === 'ready' && scenario.mayLeaveLate(call)) reach |= scenario.bitOf(call)
      }
      for (const next of this.#successors(one)) if (next !== null) seen.add(copies.outdated(next))
    }
    this.#reach.set(copy, reach)
    return reach
  }

  #successors(copy: Copy): (Copy | null)[] {
    const { copies } = this.#parts
    const woken = copy.shape.waits.map((_, position) => copies.wake(copy, position))
    return [
      copies.answered(copy),
      turnedFrom(copy, this.#parts),
      ...woken,
      ...copy.calls.flatMap((call) => this.#afterCall(copy, call)),
    ]
  }

  #afterCall(copy: Copy, call: Call): Copy[] {
    const { copies } = this.#parts
    if (call.stage === 'ready') return [copies.leave(copy, call)]
    if (call.stage === 'blocked') return []
    return answersTo(call.operation).map((outcome) => copies.land(copy, call, outcome, 'early'))
  }
}

const otherAnswers: readonly Outcome[] = [
  { kind: 'refused', reason: { code: 'closed' } },
  { kind: 'unknown', error: 'no answer', code: 'timeout' },
  { kind: 'pending' },
]
const decisions: readonly Outcome[] = [
  { kind: 'done', output: { decision: 'commit' } },
  { kind: 'done', output: { decision: 'rollback' } },
]
const done: Outcome = { kind: 'done', output: null }

function answersTo(operation: Operation): readonly Outcome[] {
  return operation === 'check' ? [...decisions, ...otherAnswers] : [done, ...otherAnswers]
}
