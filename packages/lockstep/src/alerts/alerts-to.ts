import { messageOf } from '../errors.ts'
import { type Alerts, type Logger, silentLogger } from '../ports/index.ts'

/** Every alert to each of them, in this order. One that throws against its contract keeps it from no other. */
export function alertsTo(destinations: readonly Alerts[], logger: Logger = silentLogger): Alerts {
  return {
    raise(alert) {
      for (const destination of destinations) {
        try {
          destination.raise(alert)
        } catch (error) {
          logger.error({ id: alert.id, error: messageOf(error) }, 'an alert could not be handed over')
        }
      }
    },
  }
}
