import type { Command, Environment, Event, LinkedBody, Transaction } from '../ports/index.ts'
import type { Active, Outgoing } from './active.ts'
import type { Dispatcher } from './dispatcher.ts'
import { isJustified } from './justified.ts'
import type { StoreClock } from './store-clock.ts'

type CallCommand = Extract<Command, { kind: 'call' }>

export interface CallsParts {
  readonly environment: Environment
  readonly storeClock: StoreClock
  readonly storeId: () => string
  readonly dispatcher: Dispatcher
  /** Asked right before a call leaves: the lease lasts, and nobody stops. */
  readonly mayCall: () => boolean
  /** Begins a linked transaction; resolves when it is durable, or with the reason why there will be none. */
  readonly beginLinked: (from: Transaction, branch: string, body: LinkedBody) => Promise<string | null>
  readonly onLanded: (active: Active, event: Event) => void
}

/** Lets the calls of a transaction leave, and what it begins begin, each not before the row that justifies it is durable (law 1). */
export class Calls {
  readonly #parts: CallsParts

  constructor(parts: CallsParts) {
    this.#parts = parts
  }

  submit(active: Active, command: Outgoing): void {
    active.calls += 1
    if (isJustified(active, command, active.change)) this.#launch(active, command)
    else active.blocked.push({ command, change: active.change })
  }

  /** Something has become durable: what waited for it leaves. */
  unblock(active: Active): void {
    const waiting = active.blocked
    active.blocked = []
    for (const { command, change } of waiting) {
      if (isJustified(active, command, change)) this.#launch(active, command)
      else active.blocked.push({ command, change })
    }
  }

  #launch(active: Active, command: Outgoing): void {
    if (command.kind === 'call') this.#call(active, command)
    else void this.#begin(active, command)
  }

  /** Fails only when the journal is closed: the next owner asks for it again. */
  async #begin(active: Active, { branch, body }: Extract<Command, { kind: 'begin' }>): Promise<void> {
    try {
      const refusal = await this.#parts.beginLinked(active.transaction, branch, body)
      this.#landed(active, { kind: 'begun', branch, refusal })
    } catch {
      active.calls -= 1
    }
  }

  #call(active: Active, command: CallCommand): void {
    const { base, transaction } = active
    const { branch, operation, number, target, input, timeoutMs } = command
    const { environment, storeClock, storeId, dispatcher, mayCall } = this.#parts
    dispatcher.submit({
      insists: command.insists === true,
      call: {
        target,
        operation,
        store: storeId(),
        transaction: active.id,
        branch,
        attempt: number,
        begunAt: transaction.createdAt,
        timeoutMs,
        input,
        traceparent: base.traceparent,
      },
      mayLeave: () => !active.gone && active.transaction.held === null && mayCall(),
      notSent: ({ retryAfterMs, missing }) => {
        const retryAt = storeClock.now() + retryAfterMs
        this.#landed(active, { kind: 'not-sent', branch, operation, number, retryAt, missing })
      },
      done: ({ outcome, durationMs: exactMs }) => {
        const durationMs = Math.round(exactMs)
        const startedAt = storeClock.now() - durationMs
        const jitter = environment.random.fraction('back-off')
        this.#landed(active, { kind: 'outcome', branch, operation, number, startedAt, durationMs, outcome, jitter })
      },
    })
  }

  #landed(active: Active, event: Event): void {
    active.calls -= 1
    if (!active.gone) this.#parts.onLanded(active, event)
  }
}
