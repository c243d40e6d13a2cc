import { type Alerts, alertsTo, countedAlerts, type Logger, logAlerts, webhookAlerts } from 'lockstep'
import type { AlertCount } from '../api/alert-count.ts'
import type { AlertWebhook } from './settings.ts'

export interface OpenAlerts extends Alerts {
  /** Gives what is still to be sent a second. */
  close(): Promise<void>
}

/** Where the alerts of this server go: a number, a line in the log, and the webhook where one is set. */
export function openAlerts(webhook: AlertWebhook | undefined, count: AlertCount, logger: Logger): OpenAlerts {
  const always = [countedAlerts(count), logAlerts(logger)]
  if (webhook === undefined) return { ...alertsTo(always, logger), close: () => Promise.resolve() }
  const { url, secret } = webhook
  const posted = webhookAlerts({ url, logger, ...(secret === undefined ? {} : { secret }) })
  return { ...alertsTo([...always, posted], logger), close: () => posted.close() }
}
