import { type ClientEnvironment, realEnvironment } from './environment.ts'
import { ZooKeeperError } from './errors.ts'
import { parseServers, type Server } from './servers.ts'
import type { TlsOptions } from './socket.ts'
import type { Credentials } from './wire/auth.ts'
import type { SessionKey } from './wire/handshake.ts'

export interface ZooKeeperOptions {
  /** `host:port`, several with commas or as a list. */
  readonly servers: string | readonly string[]
  /** What is asked for; the server settles it within its bounds, see `ZooKeeper.timeoutMs`. 10 s by default. */
  readonly sessionTimeoutMs?: number
  /** The deadline of a request that names none: waiting for a connection counts. The session timeout by default. */
  readonly requestTimeoutMs?: number
  /**
   * How long a server may take from TCP to its greeting; twice as long with every round in which none did, up to half the session
   * timeout. A sixth of the session timeout by default: a server that takes a connection and forgets it must not cost the session.
   */
  readonly connectTimeoutMs?: number
  readonly tls?: TlsOptions
  /** Sent first on every connection. */
  readonly credentials?: readonly Credentials[]
  /** Another object's session, to be gone on with here. */
  readonly takeOver?: SessionKey
  /** Requests that are open at a time; what comes beyond is refused, not queued. */
  readonly openRequestsMax?: number
  /** Time and chance, for a simulator. */
  readonly environment?: Partial<ClientEnvironment>
}

export interface SessionSettings {
  readonly servers: readonly Server[]
  readonly sessionTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly tls: TlsOptions | undefined
  readonly credentials: readonly Credentials[]
  readonly takeOver: SessionKey | undefined
  readonly openRequestsMax: number
  readonly environment: ClientEnvironment
}

const durationMsMax = 2_147_483_647
const connectMsMin = 200

export function sessionSettings(options: ZooKeeperOptions): SessionSettings {
  const servers = parseServers(options.servers)
  const sessionTimeoutMs = checkDuration('sessionTimeoutMs', options.sessionTimeoutMs ?? 10_000)
  return {
    servers,
    sessionTimeoutMs: Math.round(sessionTimeoutMs),
    requestTimeoutMs: checkDuration('requestTimeoutMs', options.requestTimeoutMs ?? sessionTimeoutMs),
    connectTimeoutMs: checkDuration(
      'connectTimeoutMs',
      options.connectTimeoutMs ?? Math.max(connectMsMin, sessionTimeoutMs / 6),
    ),
    tls: options.tls,
    credentials: options.credentials ?? [],
    takeOver: options.takeOver,
    openRequestsMax: options.openRequestsMax ?? 10_000,
    environment: { ...realEnvironment, ...options.environment },
  }
}

/** Endless is not allowed: every request ends. */
export function checkDuration(name: string, durationMs: number): number {
  if (durationMs > 0 && durationMs <= durationMsMax) return durationMs
  throw new ZooKeeperError('BAD_ARGUMENTS', { why: `${name} is ${durationMs}: from 1 to ${durationMsMax} ms` })
}
