import { Pool } from 'undici'
import { LockstepError } from '../errors.ts'
import type { Alerts, Environment, Logger } from '../ports/index.ts'
import { guardedLookup } from '../transports/http/egress.ts'
import { httpUrl } from '../transports/http/services.ts'
import { SigningKey } from '../transports/http/signature.ts'
import { Courier } from './courier.ts'
import { type Hook, post } from './post.ts'

export interface WebhookAlertsOptions {
  /** Whoever runs the coordinator chooses it, so it may lead into the private network, and never to a link-local address. */
  readonly url: string
  /** `whsec_…`; several while a secret is rotated. */
  readonly secret?: string | readonly string[]
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  readonly logger: Logger
  /** Alerts that wait to be sent, 1,000 unless given; more are dropped. */
  readonly queueMax?: number
}

export interface WebhookAlerts extends Alerts {
  /** Gives what is still to be sent one second, and then ends. */
  close(): Promise<void>
}

/** Few, so that a receiver is not flooded, and more than one, so that an alert it cannot take holds up no other. */
const atOnceMax = 4

/**
 * Posts each alert as JSON, with Standard Webhooks headers when there is a secret.
 *
 * **Guarantees** tries with back-off for about ten minutes, all of them with the same `webhook-id`, and a line in the log for what
 * was not delivered.
 * **Does not guarantee** delivery, nor the order, nor that an alert comes only once: an answer may be lost. What an alert is about is
 * durable, and `list` with `held` tells it again.
 * Fails with `LOCKSTEP_CONFIGURATION` for a URL or secret that makes no sense. Raising never waits and never throws.
 *
 * @example
 * const alerts = alertsTo([logAlerts(logger), webhookAlerts({ url: 'https://ops.example/lockstep', environment, logger })])
 */
export function webhookAlerts({ url, secret, environment, logger, queueMax }: WebhookAlertsOptions): WebhookAlerts {
  const target = httpUrl(url)
  if (target === null) {
    const message = 'The URL for alerts must be http or https, without credentials, and not link-local.'
    throw new LockstepError('LOCKSTEP_CONFIGURATION', { message })
  }
  const keys = secret === undefined ? [] : [secret].flat().map((one) => new SigningKey(one))
  const pool = new Pool(target.origin, {
    connections: atOnceMax,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: 10_000, lookup: guardedLookup },
  })
  const hook: Hook = { dispatcher: pool, path: target.pathname + target.search, keys }
  const courier = new Courier({
    deliver: (numbered) => post(numbered, hook, environment),
    environment,
    logger,
    to: target.origin,
    atOnceMax,
    queueMax: queueMax ?? 1_000,
  })
  return {
    raise: (alert) => courier.raise(alert),
    async close() {
      await courier.close()
      await pool.destroy()
    },
  }
}
