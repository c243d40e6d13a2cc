/** One reliable message in a test's hands. */
import type { Json } from '../../src/ports/index.ts'
import type { DeliveryState, Message } from '../../src/transactions/message/definition.ts'
import { messagePattern } from '../../src/transactions/message/index.ts'
import { PatternRun } from './pattern-run.ts'

export type Body = Readonly<Record<string, Json>>

/** The branch of the check-back. */
export const local = '_local'

/** `a`, `b`: one letter is one delivery. */
export function deliveries(letters: string, more: Readonly<Record<string, Body>> = {}): Body[] {
  return [...letters].map((name) => ({ name, to: `bar.${name}`, payload: { to: name }, ...more[name] }))
}

export class MessageRun extends PatternRun<Message> {
  /** With a check-back, unless `body` says `checkBack: null`. */
  constructor(given: readonly Body[], body: Body = {}, options: { barrierRetentionMs?: number } = {}) {
    const { checkBack = 'orders', ...rest } = body
    const asked = checkBack === null ? {} : { checkBack }
    super(messagePattern, { input: { order: 7 }, ...asked, ...rest, deliveries: [...given] }, options)
  }

  delivery(name: string): DeliveryState {
    const { definition, state } = this.transaction
    const delivery = state.deliveries[definition.deliveries.findIndex((plan) => plan.name === name)]
    if (delivery === undefined) throw new Error(`no delivery ${name}`)
    return delivery
  }

  get check() {
    return this.transaction.state.check
  }

  /** The producer says what became of its local transaction. */
  says(decision: Json): this {
    return this.done(local, { decision })
  }

  /** The linked transaction that was asked for is durable, or cannot be. */
  begun(branch: string, refusal: string | null = null): this {
    return this.feed({ kind: 'begun', branch, refusal })
  }

  /** Branches for which a linked transaction is asked for. */
  begins(): string[] {
    return this.commands.flatMap((command) => (command.kind === 'begin' ? [command.branch] : []))
  }

  protected states(): readonly string[] {
    return this.transaction.state.deliveries.map(({ state }) => state)
  }

  protected flightOf(branch: string) {
    return (branch === local ? this.check : this.delivery(branch).errand).flight
  }
}
