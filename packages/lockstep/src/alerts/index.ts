export { logAlerts } from './log-alerts.ts'
