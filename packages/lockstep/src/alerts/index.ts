export { alertsTo } from './alerts-to.ts'
export { type AlertCounter, countedAlerts } from './counted-alerts.ts'
export { logAlerts } from './log-alerts.ts'
export { type WebhookAlerts, type WebhookAlertsOptions, webhookAlerts } from './webhook-alerts.ts'
