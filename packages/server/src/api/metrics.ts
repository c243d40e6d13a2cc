import { wordAnswer } from './answers.ts'
import type { ApiCall } from './api-call.ts'
import { currentText, labelledText, metricsContentType } from './metric-text.ts'

const takeovers = {
  name: 'lockstep_takeovers_total',
  help: 'Transactions taken over from an instance that is gone.',
}
const active = { name: 'lockstep_active_transactions', help: 'Transactions that this instance is working on.' }

/** Enough to say that many wait for a person; counting on costs the store more than it tells anybody. */
const heldCountedMax = 500
const held = {
  name: 'lockstep_held',
  help: `Transactions that wait for a person, of the ${heldCountedMax} newest, in the store and not only here.`,
}

async function heldByReason(coordinator: ApiCall['coordinator']): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const page = await coordinator.list({ held: true, limit: heldCountedMax })
  for (const { held } of page.items) if (held !== null) counts.set(held.reason, (counts.get(held.reason) ?? 0) + 1)
  return counts
}

/** What this instance knows of itself, and what is held, for Prometheus. */
export async function metrics({ coordinator, alerts }: ApiCall): Promise<Response> {
  const blocks = [
    alerts.text(),
    currentText('counter', takeovers, coordinator.takeovers),
    currentText('gauge', active, coordinator.activeCount),
    labelledText(held, 'reason', await heldByReason(coordinator)),
  ]
  return wordAnswer(200, blocks.join(''), { 'content-type': metricsContentType })
}
