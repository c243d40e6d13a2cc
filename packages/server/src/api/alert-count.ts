import { Counter } from './metric-text.ts'

export type AlertCount = Counter<'kind' | 'pattern'>

export function alertCount(): AlertCount {
  return new Counter({ name: 'lockstep_alerts_total', help: 'Alerts raised by this instance, delivered or not.' })
}
