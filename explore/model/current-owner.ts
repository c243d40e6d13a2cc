/** What the owner of the current epoch may do next, and what may happen to it. */
import type { Outcome } from 'lockstep/ports'
import { type Call, type Copy, rests } from './copy.ts'
import { momentsFor } from './machine.ts'
import { spokenCall, spokenMoment, spokenOutcome } from './spoken.ts'
import type { Emit, Parts, State } from './world.ts'

const timedOut: Outcome = { kind: 'unknown', error: 'no answer', code: 'timeout' }
const unreached: Outcome = { kind: 'unknown', error: 'connection refused', unreached: true }

interface Turn<Rest> {
  readonly state: State<Rest>
  readonly copy: Copy
  readonly parts: Parts<Rest>
  readonly emit: Emit<Rest>
}

export function movesOfCurrent<Rest>(turn: Turn<Rest>): void {
  const { state, copy, parts, emit } = turn
  emit({ ...state, current: parts.copies.crashed(copy), text: '{current} crashes', heals: false })
  write(turn)
  if (copy.dead || copy.leaving) return
  for (const call of copy.calls) {
    if (call.stage === 'ready') leave(turn, call)
    if (call.stage === 'sent') wait(turn, call)
    if (call.answer !== null) hear(turn, call, { outcome: call.answer, text: 'an answer arrives', heals: true })
  }
  wake(turn)
  park(turn)
}

function write<Rest>({ state, copy, parts, emit }: Turn<Rest>): void {
  const { copies, rows } = parts
  const { batch, landed, dead } = copy
  if (batch === null) return
  const row = landed ? state.row : rows.of(batch.shape, batch.owned)
  if (!copies.splits) {
    const text = `{current} makes it durable: ${batch.shape.spoken}`
    emit({ ...state, row, current: copies.answered(copy), text, heals: true })
  } else if (landed) {
    emit({ ...state, current: copies.answered(copy), text: 'the write of {current} is answered', heals: true })
  } else {
    const text = `the write of {current} lands${dead ? ', after its death' : ''}: ${batch.shape.spoken}`
    emit({ ...state, row, current: dead ? null : copies.lands(copy), text, heals: true })
  }
}

/** It leaves, or certainly does not. */
function leave<Rest>({ state, copy, parts, emit }: Turn<Rest>, call: Call): void {
  const { copies, scenario } = parts
  // Whoever is held sends nothing more (`mayLeave`).
  if (copy.shape.transaction.held === null) {
    const world = scenario.send(state.world, call)
    emit({
      ...state,
      world,
      current: copies.leave(copy, call),
      text: `{current} sends ${spokenCall(call)}`,
      heals: true,
    })
  }
  for (const moment of momentsFor(copy.shape)) {
    const when = spokenMoment(moment)
    const back = copies.keepBack(copy, call, moment)
    emit({ ...state, current: back, text: `{current} keeps ${spokenCall(call)} back${when}`, heals: false })
    const lost = copies.land(copy, call, unreached, moment)
    emit({ ...state, current: lost, text: `{current} cannot reach ${call.branch}${when}`, heals: false })
  }
}

function wait<Rest>(turn: Turn<Rest>, call: Call): void {
  const { state, copy, parts, emit } = turn
  const { copies, scenario, lateAnswers } = parts
  for (const { world, outcome, text, heals } of scenario.executions(state.world, call)) {
    hear({ ...turn, state: { ...state, world } }, call, { outcome, text, heals })
    if (!lateAnswers) continue
    const current = copies.answer(copy, call, outcome)
    emit({ ...state, world, current, text: `${text}; the answer to {current} is on its way`, heals: false })
  }
  if (!scenario.mayTimeOut(state.world, call)) return
  const isGone = (state.world.sent & scenario.bitOf(call)) === 0
  hear(turn, call, { outcome: timedOut, text: `no answer to ${spokenCall(call)}`, heals: isGone })
}

interface Heard {
  readonly outcome: Outcome
  readonly text: string
  readonly heals: boolean
}

function hear<Rest>({ state, copy, parts, emit }: Turn<Rest>, call: Call, { outcome, text, heals }: Heard): void {
  for (const moment of momentsFor(copy.shape)) {
    const current = parts.copies.land(copy, call, outcome, moment)
    const told = `${text}; {current} hears ${spokenOutcome(outcome)}${spokenMoment(moment)}`
    emit({ ...state, current, text: told, heals })
  }
}

function wake<Rest>({ state, copy, parts, emit }: Turn<Rest>): void {
  const { copies, scenario } = parts
  for (const [position, one] of copy.shape.waits.entries()) {
    if (one.kind === 'quiet' && !scenario.mayCalm(state.world, one.position ?? 0)) continue
    const woken = copies.wake(copy, position)
    if (woken !== null) emit({ ...state, current: woken, text: `{current}: its ${one.kind} is over`, heals: true })
  }
  const turned = momentsFor(copy.shape).length > 1 ? copies.turn(copy) : null
  if (turned !== null) emit({ ...state, current: turned, text: '{current}: its time has come', heals: true })
}

/** It waits for long, and hands the row back. */
function park<Rest>({ state, copy, parts, emit }: Turn<Rest>): void {
  const { copies, rows } = parts
  if (copy.calls.length > 0 || rests(copy) || copy.shape.transaction.endedAt !== null) return
  if (copies.splits) emit({ ...state, current: copies.park(copy), text: '{current} parks it', heals: true })
  else emit({ ...state, row: rows.of(copy.shape, false), current: null, text: '{current} has parked it', heals: true })
}
