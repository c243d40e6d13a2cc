/**
 * A transaction in the memory of one instance, as `Active` and `Driver` keep it: it runs ahead of the row, its writes follow, and each call
 * waits for what justifies it. The driver itself is full of promises and cannot be searched, so its rules are written down here once more;
 * the machine and `isJustified` are the real ones, and `driver-agreement.test.ts` holds the rest against the real driver.
 *
 * How a write becomes durable. `whole`: it lands and is answered in one move, at any time after it was asked for, with all that was written
 * until then. `split`: the batch that was submitted keeps its state, lands late, is answered later still, and outlives its process.
 * `whole` hides nothing by itself, since what lies between commutes. An older state that lands late could have landed before the
 * memory went on: nobody looks at the row in between and leaves its epoch as it is. An answer that comes late keeps calls back, but
 * calls may also leave late. A COMMIT that lands after its process has died could have landed before. The searches that are small
 * enough take the writes apart all the same. An answer that is lost is no move: the repeated batch is recognised and answered alike, or
 * the epoch has moved, and then the copy lets go, as one that crashes does.
 */
import type { CallNeeds, Event, Operation, Outcome, Status } from 'lockstep/ports'
import { isJustified } from 'lockstep/testing'
import { Interned, type Numbered } from './interned.ts'
import type { CallCommand, Machine, Moment, Shape, Step } from './machine.ts'

export interface Write {
  readonly shape: Shape
  /** Whether the row names the instance afterwards. */
  readonly owned: boolean
}

/** A call that the machine waits for. An operation of a branch is out at most once. */
export interface Call {
  readonly branch: string
  readonly operation: Operation
  readonly needs: CallNeeds
  /** Kept until the row justifies it; ready to leave; sent; its answer is on the way back. */
  readonly stage: 'blocked' | 'ready' | 'sent' | 'answered'
  /** The write that a blocked one waits for: the batch that is out, or the one after it. */
  readonly behind: 1 | 2
  readonly answer: Outcome | null
}

export interface Copy extends Numbered {
  readonly shape: Shape
  /** What the row holds once every write so far is durable: the memory may have gone on without a write. */
  readonly written: Shape
  /** The status that the last answered write left in the row. */
  readonly durable: Status
  /** Its takeover is not durable yet. */
  readonly takingOver: boolean
  readonly batch: Write | null
  /** The batch is durable, and its answer on the way. */
  readonly landed: boolean
  readonly waiting: Write | null
  readonly calls: readonly Call[]
  /** The write that an alert waits for, as for a blocked call; 0 when there is none. Until then every change is written. */
  readonly untold: 0 | 1 | 2
  /** The batch hands the row back: it does nothing any more. */
  readonly leaving: boolean
  /** Its process is dead, and its batch may still land. */
  readonly dead: boolean
  /** What became of it, by what happened: computed once. */
  readonly known: Map<string, Copy | null>
}

type Draft = Omit<Copy, 'number' | 'known'>

export interface CopyOptions {
  readonly machine: Machine
  readonly writes: 'whole' | 'split'
}

/** Every copy that ever was, and what becomes of one. */
export class Copies {
  readonly all: Interned<Copy> = new Interned()
  readonly machine: Machine
  readonly splits: boolean

  constructor({ machine, writes }: CopyOptions) {
    this.machine = machine
    this.splits = writes === 'split'
  }

  /** The instance has begun or claimed it. */
  adopt(shape: Shape, event: Event, moment: Moment): Copy {
    const fresh = freshOf(shape, event.claim?.takeover === true)
    return this.#accept(fresh, this.machine.advance(shape, event, moment), { urgent: fresh.takingOver })
  }

  /** The change was made durable together with the claim. */
  adoptAdvanced({ shape, calls }: Step): Copy {
    return this.#kept({ ...freshOf(shape, false), calls: calls.map((command) => callOf(command, 'ready', 1)) })
  }

  /** It rests in the row, and a copy is kept at hand. */
  atHand(shape: Shape): Copy {
    return this.#kept(freshOf(shape, false))
  }

  /**
   * A decision or a registration, told from others by `name`. One that changes nothing is answered once all that it rests on is durable: what
   * has changed since the last write is written.
   */
  apply(copy: Copy, { name, event }: { readonly name: string; readonly event: Event }, moment: Moment): Copy {
    return once(copy, `apply ${name} ${moment}`, () => {
      const step = this.machine.advance(copy.shape, event, moment)
      if (!step.idle) return this.#accept(copy, step, { urgent: true })
      const { shape, written } = copy
      if (written === shape) return copy
      const owned = !rests(copy) && shape.transaction.endedAt === null
      return this.#kept(this.#submitted(copy, { shape, owned }))
    })
  }

  leave(copy: Copy, call: Call): Copy {
    return once(copy, `leave ${nameOf(call)}`, () => this.#with(copy, call, { stage: 'sent' }))
  }

  /** The answer exists, and has not arrived. */
  answer(copy: Copy, call: Call, answer: Outcome): Copy {
    const what = `answer ${nameOf(call)} ${wordOf(answer)}`
    return once(copy, what, () => this.#with(copy, call, { stage: 'answered', answer }))
  }

  /** The call has ended, for the machine. */
  land(copy: Copy, call: Call, outcome: Outcome, moment: Moment): Copy {
    return once(copy, `land ${nameOf(call)} ${wordOf(outcome)} ${moment}`, () => {
      const ended = { kind: 'outcome', ...numbered(call), startedAt: 0, durationMs: 0, outcome, jitter: 0.5 } as const
      return this.#ended(copy, call, ended, moment)
    })
  }

  /** It has not left: the breaker is open, the lease is over, or the transaction is held. */
  keepBack(copy: Copy, call: Call, moment: Moment): Copy {
    return once(copy, `keep ${nameOf(call)} ${moment}`, () => {
      const ended = { kind: 'not-sent', ...numbered(call), retryAt: 100_000, missing: false } as const
      return this.#ended(copy, call, ended, moment)
    })
  }

  /** One of its waits is over. Null when nothing follows. */
  wake(copy: Copy, wait: number): Copy | null {
    return once(copy, `wake ${wait}`, () => {
      const due = this.machine.over(copy.shape, wait)
      const step = this.machine.advance(due, { kind: 'woke' }, 'early')
      const moves = step.calls.length > 0 || step.shape.transaction.status !== copy.shape.transaction.status
      const isQuiet = copy.shape.waits[wait]?.kind === 'quiet'
      return moves || isQuiet ? this.#accept({ ...copy, shape: due }, step) : null
    })
  }

  /** The deadline or the first check-back has come. */
  turn(copy: Copy): Copy | null {
    return once(copy, 'turn', () => {
      const step = this.machine.advance(copy.shape, { kind: 'woke' }, 'late')
      return step.shape === copy.shape ? null : this.#accept(copy, step)
    })
  }

  /** Hands the row back: it waits for long. */
  park(copy: Copy): Copy {
    const write = { shape: copy.shape, owned: false }
    return once(copy, 'park', () => this.#kept(this.#submitted({ ...copy, leaving: true }, write)))
  }

  /** The batch has become durable. */
  lands(copy: Copy): Copy {
    return once(copy, 'lands', () => this.#kept({ ...copy, landed: true }))
  }

  /** The batch is answered: what waited for it may leave. Null when the copy has nothing left to do. */
  answered(copy: Copy): Copy | null {
    return once(copy, 'answered', () => {
      const { batch, waiting, leaving, dead } = copy
      if (batch === null || dead || batch.shape.transaction.endedAt !== null) return null
      if (leaving && waiting === null) return null
      const durable = batch.shape.transaction.status
      const calls = copy.calls.map((call) => (call.stage === 'blocked' ? unblocked(call, copy.shape, durable) : call))
      const untold = copy.untold === 2 ? 1 : 0
      return this.#kept({
        ...copy,
        durable,
        takingOver: false,
        batch: waiting,
        landed: false,
        waiting: null,
        calls,
        untold,
      })
    })
  }

  /** Its process dies; what it has submitted may still land. */
  crashed(copy: Copy): Copy | null {
    if (!this.splits || copy.batch === null || copy.landed) return null
    const { batch } = copy
    return once(copy, 'crash', () => this.#kept({ ...freshOf(batch.shape, false), batch, dead: true }))
  }

  /** Somebody else has claimed the row: nothing of this copy becomes durable any more. */
  outdated(copy: Copy): Copy {
    const batch = copy.landed ? copy.batch : null
    return once(copy, 'outdated', () => this.#kept({ ...copy, written: copy.shape, batch, waiting: null, untold: 0 }))
  }

  #ended(copy: Copy, call: Call, event: Event, moment: Moment): Copy {
    const calls = copy.calls.filter((other) => other !== call)
    return this.#accept({ ...copy, calls }, this.machine.advance(copy.shape, event, moment))
  }

  /** What the driver does with the machine's answer (`Driver.#accept`). */
  #accept(before: Draft, step: Step, { urgent = false } = {}): Copy {
    const { status, held, endedAt } = step.shape.transaction
    const takenOverAt = before.takingOver ? 1 : 0
    const durability = { durableChange: 0, takenOverAt, durable: { status: before.durable }, transaction: { status } }
    const behind = this.splits && before.batch !== null ? 2 : 1
    const asked = step.calls.map((command) =>
      callOf(command, isJustified(durability, command, behind) ? 'ready' : 'blocked', behind),
    )
    const untold = step.alerts ? behind : before.untold
    const next = { ...before, shape: step.shape, calls: [...before.calls, ...asked], untold }
    const turned =
      status !== before.shape.transaction.status || (held !== null && before.shape.transaction.held === null)
    const writes =
      urgent || turned || untold > 0 || step.attempted || next.calls.some(({ stage }) => stage === 'blocked')
    const isOpen = rests(next)
    if (!writes && !isOpen) return this.#kept(next)
    return this.#kept(this.#submitted(next, { shape: step.shape, owned: !isOpen && endedAt === null }))
  }

  #submitted(copy: Draft, write: Write): Draft {
    const written = write.shape
    return this.splits && copy.batch !== null
      ? { ...copy, written, waiting: write }
      : { ...copy, written, batch: write }
  }

  #with(copy: Copy, call: Call, change: Partial<Call>): Copy {
    return this.#kept({ ...copy, calls: copy.calls.map((other) => (other === call ? { ...call, ...change } : other)) })
  }

  #kept(draft: Draft): Copy {
    const { shape, written, durable, takingOver, batch, landed, waiting, calls, untold, leaving, dead } = draft
    const flags = [takingOver, landed, untold, leaving, dead].map(Number).join('')
    const writes = `${writeText(batch)} ${writeText(waiting)}`
    const text = `${shape.number} ${written.number} ${durable} ${flags} ${writes} ${calls.map(callText).sort().join()}`
    return this.all.of(text, (number) => {
      const known = new Map<string, Copy | null>()
      return {
        number,
        shape,
        written,
        durable,
        takingOver,
        batch,
        landed,
        waiting,
        calls,
        untold,
        leaving,
        dead,
        known,
      }
    })
  }
}

/** It waits for somebody's decision and has nothing to do before (`Driver.#isOpen`): it is kept at hand, and nobody owns the row. */
export function rests({ shape, calls }: Pick<Copy, 'shape' | 'calls'>): boolean {
  const { status, held } = shape.transaction
  return status === 'prepared' && held === null && calls.length === 0
}

const inert = { calls: [], untold: 0, landed: false, leaving: false } as const

function freshOf(shape: Shape, takingOver: boolean): Draft {
  const durable = shape.transaction.status
  return { ...inert, shape, written: shape, durable, takingOver, batch: null, waiting: null, dead: false }
}

function callOf({ branch, operation, needs }: CallCommand, stage: Call['stage'], behind: Call['behind']): Call {
  return { branch, operation, needs, stage, behind: stage === 'blocked' ? behind : 1, answer: null }
}

/** The batch, change 1, is durable; what waits behind it is change 2. */
function unblocked(call: Call, { transaction }: Shape, status: Status): Call {
  const durability = { durableChange: 1, takenOverAt: 1, durable: { status }, transaction }
  const command = { kind: 'call', ...numbered(call), needs: call.needs, target: '', input: null, timeoutMs: 0 } as const
  return { ...call, stage: isJustified(durability, command, call.behind) ? 'ready' : 'blocked', behind: 1 }
}

function numbered({ branch, operation }: Call) {
  return { branch, operation, number: 1 } as const
}

function once<Result extends Copy | null>(copy: Copy, what: string, become: () => Result): Result {
  const known = copy.known.get(what)
  if (known !== undefined) return known as Result
  const became = become()
  copy.known.set(what, became)
  return became
}

function nameOf({ branch, operation, stage }: Call): string {
  return `${branch}/${operation}/${stage}`
}

const words = new WeakMap<Outcome, string>()

function wordOf(outcome: Outcome): string {
  const known = words.get(outcome)
  if (known !== undefined) return known
  const word = JSON.stringify(outcome)
  words.set(outcome, word)
  return word
}

function writeText(write: Write | null): string {
  return write === null ? '-' : `${write.shape.number}${write.owned ? 'o' : ''}`
}

function callText({ branch, operation, needs, stage, behind, answer }: Call): string {
  return `${branch}/${operation}/${needs}/${stage}/${behind}${answer === null ? '' : JSON.stringify(answer)}`
}
