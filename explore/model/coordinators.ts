/**
 * Two coordinators on one row: what they may do next, in any state.
 *
 * Neither instances nor epochs have numbers here. Of all copies only one can write, the `current` one, and every claim makes it `stale`. The
 * two instances are alike, so it does not matter which of them has which copy, nor how often the row was claimed: the search covers any
 * number of epochs. With two instances there is at most one stale copy: a claim by its instance ends it, one by an instance that was
 * restarted leaves it. A pause is the absence of moves. Leases need no clock: any owner may be taken over at any time.
 */
import type { Event } from 'lockstep/ports'
import type { Copy } from './copy.ts'
import { movesOfCurrent } from './current-owner.ts'
import { type Moment, momentsFor } from './machine.ts'
import { spokenMoment } from './spoken.ts'
import { movesOfStale, StaleCopies } from './stale-owner.ts'
import type { Emit, Parts, Row, State, Wish, WorldStep } from './world.ts'

interface Taken {
  readonly row: Row
  readonly current: Copy | null
}

export class Coordinators<Rest> {
  readonly #parts: Parts<Rest>
  readonly #stale: StaleCopies<Rest>
  // What depends on a part of the state only is computed once.
  readonly #steps = new Map<string, readonly WorldStep<Rest>[]>()
  readonly #claimed = new Map<string, Copy>()
  readonly #taken = new Map<string, Taken | null>()

  constructor(parts: Parts<Rest>) {
    this.#parts = parts
    this.#stale = new StaleCopies(parts)
  }

  moves(state: State<Rest>, emit: Emit<Rest>): void {
    const parts = this.#parts
    const { current, stale } = state
    const kept: Emit<Rest> = (move) => {
      const isSame = move.stale === stale && move.world.sent === state.world.sent
      const left = isSame ? stale : this.#stale.of(move.stale, move.world.sent)
      emit(left === move.stale ? move : { ...move, stale: left })
    }
    if (current !== null) movesOfCurrent({ state, copy: current, parts, emit: kept })
    if (stale !== null) movesOfStale({ state, copy: stale, parts, emit: kept })
    this.#claim(state, kept)
    for (const wish of parts.scenario.wishes(state.world)) this.#grant(state, wish, kept)
    for (const { world, text, heals } of this.#worldSteps(state)) kept({ ...state, world, text, heals })
  }

  #worldSteps({ row, world }: State<Rest>): readonly WorldStep<Rest>[] {
    return once(this.#steps, `${row.number} ${world.number}`, () => {
      return this.#parts.scenario.steps(row, world).filter((step) => step.world !== world)
    })
  }

  /** Recovery: a row whose owner is gone, or seems to be; or one that nobody owns and that is due. */
  #claim(state: State<Rest>, emit: Emit<Rest>): void {
    const { shape, owned } = state.row
    const { endedAt, held, status } = shape.transaction
    if (endedAt !== null || held !== null) return
    const isAlone = state.current === null || state.current.dead
    for (const moment of momentsFor(shape)) {
      const isDue = owned || moment === 'late' || status !== 'prepared' || shape.waits.length > 0
      if (!isDue) continue
      const text = `{next} ${owned ? 'takes it over' : 'claims it'}${spokenMoment(moment)}: ${shape.spoken}`
      const row = this.#parts.rows.of(shape, true)
      const current = this.#claimedBy(state.row, moment)
      emit({ ...this.#handedOver(state), row, current, text, heals: isAlone || !owned, claims: true })
    }
  }

  #claimedBy(row: Row, moment: Moment): Copy {
    const { copies } = this.#parts
    const { shape, owned } = row
    return once(this.#claimed, `${row.number} ${moment}`, () => {
      const due = owned ? shape : copies.machine.over(shape, 'back-offs')
      return copies.adopt(due, { kind: 'woke', claim: { takeover: owned } }, moment)
    })
  }

  /** A decision or a registration comes to the instance that drives the row, or to the other one, which takes it. */
  #grant(state: State<Rest>, wish: Wish, emit: Emit<Rest>): void {
    const { row, current } = state
    for (const moment of momentsFor(row.shape)) {
      const text = `${wish.name} reaches`
      const when = spokenMoment(moment)
      if (current !== null && !current.dead && !current.leaving) {
        const changed = this.#parts.copies.apply(current, wish, moment)
        if (changed !== current) emit({ ...state, current: changed, text: `${text} {current}${when}`, heals: true })
      }
      const taken = this.#takenBy(row, wish, moment)
      if (taken === null) continue
      const told = `${text} {next}, which takes the row${when}: ${taken.row.shape.spoken}`
      emit({ ...this.#handedOver(state), ...taken, text: told, heals: true, claims: true })
    }
  }

  #takenBy(row: Row, { name, event }: Wish, moment: Moment): Taken | null {
    return once(this.#taken, `${row.number} ${moment} ${name}`, () => this.#take(row, event, moment))
  }

  /** The row is claimed in the statement that changes it (`Changes.#take`). */
  #take({ shape, owned }: Row, event: Event, moment: Moment): Taken | null {
    const { copies, rows } = this.#parts
    if (shape.transaction.held !== null) return null
    const step = copies.machine.advance(shape, { ...event, claim: { takeover: owned } }, moment)
    if (step.idle) return null
    const { endedAt, status, held } = step.shape.transaction
    const drives = endedAt === null && held === null
    const waits = step.calls.length === 0 && status === 'prepared'
    return { row: rows.of(step.shape, drives && !waits), current: drives ? copies.adoptAdvanced(step) : null }
  }

  /** The former owner does not know it yet. Where that adds nothing, the one before it may as well have stayed. */
  #handedOver(state: State<Rest>): State<Rest> {
    const stale = this.#stale.of(state.current, state.world.sent) ?? state.stale
    return { ...state, stale }
  }
}

function once<Result>(known: Map<string, Result>, key: string, make: () => Result): Result {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}
