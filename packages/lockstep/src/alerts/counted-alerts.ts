import type { AlertKind, Alerts, Pattern } from '../ports/index.ts'

/** A counter of OpenTelemetry fits as it is. No id is ever a label: there is no end of ids. */
export interface AlertCounter {
  add(value: number, labels: { readonly kind: AlertKind; readonly pattern: Pattern }): void
}

/** One more for each alert, by its kind and pattern. */
export function countedAlerts(counter: AlertCounter): Alerts {
  return { raise: ({ kind, pattern }) => counter.add(1, { kind, pattern }) }
}
