import { Pool } from 'undici'
import type { Call, Environment, Outcome, Transport } from '../../ports/index.ts'
import { headerNames } from '../../protocol/index.ts'
import { AnswerReader } from './answer-reader.ts'
import { guardedLookup, localLookup } from './egress.ts'
import type { Destination, ServiceSettings } from './services.ts'
import { callHeaders, ServiceDirectory } from './services.ts'
import { signatureHeader, webhookId } from './signature.ts'

export interface HttpTransportOptions {
  readonly services?: ReadonlyMap<string, ServiceSettings>
  readonly environment: Pick<Environment, 'clock' | 'timers'>
  /** `registered` refuses URLs that lie under no registered service; `any` (default) is for loopback and tests. */
  readonly urls?: 'any' | 'registered'
  /** Sockets per origin; more calls wait their turn. */
  readonly connectionsMax?: number
}

const connectionsMaxDefault = 128
/** Origins come from requests where any URL may be called, so the pools kept for them are bounded. */
const poolsMax = 1_000

/**
 * Calls participants over HTTP: one keep-alive pool per origin, no redirects, bounded answers, one deadline per call.
 *
 * **Guarantees** that `call` settles within its time limit, and that `unreached` is said only of calls whose request was
 * never given to a socket.
 */
export function httpTransport(options: HttpTransportOptions): Transport {
  const directory = new ServiceDirectory(options.services ?? new Map())
  const pools = new Map<string, Pool>()
  const { environment, urls = 'any' } = options
  let closed = false

  const destinationOf = (call: Pick<Call, 'target' | 'operation'>): Destination | null => {
    const destination = directory.destination(call.target, call.operation)
    if (destination === null || destination.service !== null) return destination
    return urls === 'registered' || destination.isPublic ? null : destination
  }
  const poolOf = (destination: Destination): Pool => {
    const { service, origin } = destination
    const key = [service === null ? 'unregistered' : 'registered', origin, service?.ca ?? ''].join(' ')
    const known = pools.get(key)
    if (known !== undefined) return known
    if (pools.size >= poolsMax) closeOldest(pools)
    const pool = openPool(destination, options.connectionsMax ?? connectionsMaxDefault)
    pools.set(key, pool)
    return pool
  }
  return {
    canCall: (target) => destinationOf({ target, operation: 'check' }) !== null,
    endpointOf: (target) => directory.destination(target, 'check')?.origin ?? target,
    call(call) {
      const destination = destinationOf(call)
      if (closed) return unreached('The transport is closed.')
      if (destination === null) return unreached(`There is no way over HTTP to ${call.target}.`)
      return send(poolOf(destination), destination, call, environment)
    },
    async close() {
      closed = true
      await Promise.all([...pools.values()].map((pool) => pool.destroy(new Error('The transport was closed.'))))
    },
  }
}

/** Its calls in flight still end as they end. */
function closeOldest(pools: Map<string, Pool>): void {
  const [oldest] = pools
  if (oldest === undefined) return
  pools.delete(oldest[0])
  void oldest[1].close()
}

function openPool({ origin, service }: Destination, connections: number): Pool {
  const ca = service?.ca
  const lookup = service === null ? localLookup : guardedLookup
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 10_000,
    // The reader keeps one deadline for the whole call, which is stricter than these two.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000, lookup, ...(ca === undefined ? {} : { ca }) },
  })
}

function send(
  pool: Pool,
  destination: Destination,
  call: Call,
  environment: Pick<Environment, 'clock' | 'timers'>,
): Promise<Outcome> {
  const body = JSON.stringify(call.input)
  const headers = callHeaders(destination, call)
  const keys = destination.service?.keys ?? []
  if (keys.length > 0) {
    const id = webhookId(call.transaction, call.branch, call.operation)
    const timestamp = String(Math.floor(environment.clock.now() / 1000))
    headers.push(headerNames.webhookId, id, headerNames.webhookTimestamp, timestamp)
    headers.push(headerNames.webhookSignature, signatureHeader(keys, id, timestamp, body))
  }
  return new Promise((resolve) => {
    const reader = new AnswerReader(call, environment, resolve)
    try {
      pool.dispatch({ path: destination.path, method: 'POST', headers, body }, reader)
    } catch (error) {
      reader.onResponseError(null, error as Error)
    }
  })
}

function unreached(error: string): Promise<Outcome> {
  return Promise.resolve({ kind: 'unknown', error, unreached: true })
}
