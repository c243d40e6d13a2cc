import { wordAnswer } from './answers.ts'
import type { ApiCall } from './api-call.ts'
import { currentText, metricsContentType } from './metric-text.ts'

const takeovers = {
  name: 'lockstep_takeovers_total',
  help: 'Transactions taken over from an instance that is gone.',
}
const active = { name: 'lockstep_active_transactions', help: 'Transactions that this instance is working on.' }

/** What this instance knows of itself, for Prometheus. */
export function metrics({ coordinator, alerts }: ApiCall): Response {
  const blocks = [
    alerts.text(),
    currentText('counter', takeovers, coordinator.takeovers),
    currentText('gauge', active, coordinator.activeCount),
  ]
  return wordAnswer(200, blocks.join(''), { 'content-type': metricsContentType })
}
