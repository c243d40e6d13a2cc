import type { Dispatcher } from 'undici'
import { exchange } from '../client/exchange.ts'
import type { Alert, Environment } from '../ports/index.ts'
import { headerNames } from '../protocol/index.ts'
import { retryAfterMs } from '../transports/http/retry-after.ts'
import { type SigningKey, signatureHeader, webhookId } from '../transports/http/signature.ts'
import type { Posted } from './courier.ts'

export interface Hook {
  readonly dispatcher: Dispatcher
  readonly path: string
  readonly keys: readonly SigningKey[]
}

/** Two alerts of one transaction may be raised in the same millisecond: their number tells them apart. */
export interface Numbered {
  readonly alert: Alert
  readonly sequence: number
}

const answerWithinMs = 10_000
/** Nothing in an answer is used but its status. */
const answerBytesMax = 16_384

/** One try. Any 2xx is taken as received, whatever its body; no redirect is followed. */
export async function post(
  { alert, sequence }: Numbered,
  { dispatcher, path, keys }: Hook,
  { clock, timers }: Pick<Environment, 'clock' | 'timers'>,
): Promise<Posted> {
  const { kind, id, pattern, status, at, reason, detail } = alert
  const body = JSON.stringify({ kind, id, pattern, status, at: new Date(at).toISOString(), reason, detail })
  const headers = ['content-type', 'application/json', ...signed({ alert, sequence }, body, keys, clock.now())]
  const request = { method: 'POST', path, headers, body, timeoutMs: answerWithinMs, answerBytesMax } as const
  const answer = await exchange(dispatcher, request, timers)
  if (answer.kind === 'unanswered') return { received: false, error: answer.error }
  if (answer.status < 300) return { received: true }
  const error = `HTTP ${answer.status}`
  if (answer.kind === 'unreadable') return { received: false, error }
  const after = answer.headers['retry-after']
  const afterMs = retryAfterMs(Array.isArray(after) ? after[0] : after, clock.now())
  return { received: false, error, ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }) }
}

/** The id is the same at every try, so that a receiver knows what it has had; the time is that of the try. */
function signed({ alert, sequence }: Numbered, body: string, keys: readonly SigningKey[], nowMs: number): string[] {
  if (keys.length === 0) return []
  const id = webhookId(alert.id, `${alert.kind}.${sequence}`, String(alert.at))
  const timestamp = String(Math.floor(nowMs / 1_000))
  return [
    headerNames.webhookId,
    id,
    headerNames.webhookTimestamp,
    timestamp,
    headerNames.webhookSignature,
    signatureHeader(keys, id, timestamp, body),
  ]
}
