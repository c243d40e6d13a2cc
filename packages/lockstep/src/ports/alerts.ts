import type { Pattern, Status } from './transaction-store.ts'

/**
 * What a person should look at. `old`: unfinished for ten minutes. `undecided`: the same, and nobody has decided it. `held`: nothing
 * happens any more until somebody acts. `branch-stuck`: one branch cannot be finished, the others go on.
 */
export type AlertKind = 'old' | 'undecided' | 'held' | 'branch-stuck'

export interface Alert {
  readonly kind: AlertKind
  readonly id: string
  readonly pattern: Pattern
  readonly status: Status
  /** Milliseconds since 1970 by the store's clock. */
  readonly at: number
  /** Of a hold: its reason. */
  readonly reason: string | null
  readonly detail: string | null
}

/**
 * Where alerts go. `raise` never throws and never waits: what it carries is durable already, and `list` with `held` tells it again.
 * A crash between the two loses the alert, not the fact.
 */
export interface Alerts {
  raise(alert: Alert): void
}

export const silentAlerts: Alerts = { raise() {} }
