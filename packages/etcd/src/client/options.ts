import { validateHeaderName, validateHeaderValue } from 'node:http'
import { createSecureContext } from 'node:tls'
import { LockstepError, messageOf } from 'lockstep'
import { type ClientEnvironment, realEnvironment } from '../environment.ts'
import type { TlsOptions } from './http-pool.ts'

export interface EtcdOptions {
  /** `http://host:port` or `https://…` of every member, several with commas or as a list. */
  readonly endpoints: string | readonly string[]
  readonly username?: string
  readonly password?: string
  /** Bound of every call that names none, over all endpoints; 5 s by default. */
  readonly requestTimeoutMs?: number
  /** Sent with every request, for a proxy in between. */
  readonly headers?: Readonly<Record<string, string>>
  /** As `tls.connect` of Node takes them: PEM text, and not names of files. */
  readonly tls?: TlsOptions
  /** Sockets per endpoint for calls; a watch has its own. 32 by default; what comes beyond waits for one, within its deadline. */
  readonly socketsMax?: number
  /** Time and chance, for a simulator. */
  readonly environment?: Partial<ClientEnvironment>
}

export interface EtcdSettings {
  readonly endpoints: readonly string[]
  readonly credentials: { readonly username: string; readonly password: string } | null
  readonly requestTimeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions | undefined
  readonly socketsMax: number
  readonly environment: ClientEnvironment
}

/** Throws `LOCKSTEP_CONFIGURATION` for what cannot work. */
export function etcdSettings(options: EtcdOptions): EtcdSettings {
  const { username, password, requestTimeoutMs = 5_000, socketsMax = 32 } = options
  if ((username === undefined) !== (password === undefined))
    throw mistaken('username and password belong together, and only one of them is given', 'Give both, or neither.')
  if (!(requestTimeoutMs > 0 && requestTimeoutMs <= 2_147_483_647))
    throw mistaken(`requestTimeoutMs is ${requestTimeoutMs}`, 'Give 1 to 2147483647 milliseconds.')
  if (!(Number.isInteger(socketsMax) && socketsMax >= 2))
    throw mistaken(`socketsMax is ${socketsMax}`, 'Give a whole number from 2.')
  checkHeaders(options.headers ?? {})
  if (options.tls !== undefined) checkTls(options.tls)
  return {
    endpoints: parseEndpoints(options.endpoints),
    credentials: username === undefined || password === undefined ? null : { username, password },
    requestTimeoutMs,
    headers: options.headers ?? {},
    tls: options.tls,
    socketsMax,
    environment: { ...realEnvironment, ...options.environment },
  }
}

function parseEndpoints(given: string | readonly string[]): readonly string[] {
  const urls = (typeof given === 'string' ? given.split(',') : given).map((each) => each.trim())
  if (urls.length === 0) throw mistaken('no endpoint is given', 'Name at least one, such as http://127.0.0.1:2379.')
  return urls.map((text) => {
    const url = URL.parse(text)
    const isHttp = url !== null && (url.protocol === 'http:' || url.protocol === 'https:')
    if (isHttp && url.pathname === '/' && url.username === '') return url.origin
    throw mistaken(
      `${JSON.stringify(text.replace(/\/\/.*@/, '//…@'))} is no endpoint`,
      'Write http://host:port or https://host:port without a path; credentials have options of their own.',
    )
  })
}

/** Node would throw at every request. Neither its words nor ours tell what a header carries. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      throw mistaken(
        `headers: HTTP cannot carry ${JSON.stringify(name)} with the value that is given`,
        'Write the name in letters, digits and hyphens, and a value in Latin-1 without a line break, such as one at the end of a file.',
      )
    }
  }
}

/** Node would throw at every connection. */
function checkTls(tls: TlsOptions): void {
  try {
    createSecureContext(tls)
  } catch (error) {
    // Of a wrong type Node tells the value as well, which may be a passphrase.
    const words = messageOf(error).replace(/ Received .*/s, '')
    throw mistaken(
      `tls: no connection can be made with it: ${words}`,
      'Give ca, cert and key as PEM text and not the name of a file, the key that belongs to cert, and its passphrase if it has one.',
    )
  }
}

function mistaken(what: string, next: string): LockstepError<'LOCKSTEP_CONFIGURATION'> {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message: `etcd: ${what}.`, next })
}
