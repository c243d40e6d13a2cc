import type { Alert, Alerts, Command, Transaction } from '../ports/index.ts'
import type { Active } from './active.ts'
import type { StoreClock } from './store-clock.ts'

/** Tells people what they should look at, each once, and not before it is durable (laws 1 and 9). */
export class Reporter {
  readonly #alerts: Alerts
  readonly #storeClock: StoreClock

  constructor(alerts: Alerts, storeClock: StoreClock) {
    this.#alerts = alerts
    this.#storeClock = storeClock
  }

  /** To be asked after each durable change. A hold is told once: a later answer finds the same moment. */
  report(active: Active): void {
    const due = active.alerts.filter(({ change }) => change <= active.durableChange)
    active.alerts = active.alerts.filter(({ change }) => change > active.durableChange)
    for (const { command } of due)
      this.#raise(active.durable, { kind: command.alert, reason: null, detail: command.detail })
    const { held } = active.durable
    if (held === null || held.since === active.reportedHold) return
    active.reportedHold = held.since
    this.#raise(active.durable, { kind: 'held', reason: held.reason, detail: held.detail })
  }

  /** Of a change that was durable at once, made from outside: what the machine wants told, and a hold that it did not have before. */
  tell(before: Transaction, after: Transaction, commands: readonly Command[]): void {
    for (const command of commands)
      if (command.kind === 'alert') this.#raise(after, { kind: command.alert, reason: null, detail: command.detail })
    const { held } = after
    if (held !== null && held.since !== before.held?.since)
      this.#raise(after, { kind: 'held', reason: held.reason, detail: held.detail })
  }

  #raise({ id, pattern, status }: Transaction, what: Pick<Alert, 'kind' | 'reason' | 'detail'>): void {
    this.#alerts.raise({ ...what, id, pattern, status, at: this.#storeClock.now() })
  }
}
