import { LockstepError } from '../../errors.ts'
import type { Call, Operation } from '../../ports/index.ts'
import { headerNames, isServiceName, isUrlTarget, splitParticipantName } from '../../protocol/index.ts'
import { isForbiddenHost, isPublicLiteral } from './egress.ts'
import { SigningKey } from './signature.ts'

export interface ServiceSettings {
  /** The base that the participant handler is mounted at. */
  readonly url: string
  /** `whsec_…`; several while a secret is rotated. */
  readonly secret?: string | readonly string[]
  /** Sent with every call, for example an authorization that the service wants. */
  readonly headers?: Readonly<Record<string, string>>
  /** PEM of the authority that signed the service's certificate. */
  readonly ca?: string
  /** Whether URL targets under this service use the barrier. */
  readonly barrier?: boolean
}

/** All that a call needs to know of where it goes, prepared once per target and operation. */
export interface Destination {
  readonly origin: string
  readonly path: string
  readonly service: Service | null
  /** Its host stands in the URL as a public address. */
  readonly isPublic: boolean
  readonly headers: readonly string[]
}

export interface Service {
  readonly name: string
  readonly base: URL
  readonly keys: readonly SigningKey[]
  readonly headers: readonly string[]
  readonly ca: string | undefined
  readonly barrier: boolean
}

const fixedHeaders = ['content-type', 'application/json', 'accept', 'application/json'] as const
const destinationsMax = 10_000
const reservedHeaders: readonly string[] = [
  ...Object.values(headerNames),
  'content-type',
  'content-length',
  'transfer-encoding',
  'connection',
  'host',
  'accept-encoding',
]

/** Finds the way to a target among the registered services. */
export class ServiceDirectory {
  readonly #services: ReadonlyMap<string, Service>
  readonly #destinations = new Map<string, Destination | null>()

  constructor(settings: ReadonlyMap<string, ServiceSettings>) {
    this.#services = new Map([...settings].map(([name, service]) => [name, prepare(name, service)]))
  }

  /** Null when this target names no way over HTTP. */
  destination(target: string, operation: Operation): Destination | null {
    const key = `${operation} ${target}`
    const known = this.#destinations.get(key)
    if (known !== undefined) return known
    // Targets come from requests, so what is remembered of them is bounded.
    if (this.#destinations.size >= destinationsMax) this.#destinations.clear()
    const destination = isUrlTarget(target) ? this.#fromUrl(target) : this.#fromService(target, operation)
    this.#destinations.set(key, destination)
    return destination
  }

  /** The service that a target belongs to: by name, or by the longest base that a URL lies under. */
  serviceOf(target: string): Service | null {
    if (!isUrlTarget(target)) return this.#named(target)?.service ?? null
    // A URL leads to the same place whatever the operation, and reading one is dear: a begin asks several times.
    return this.destination(target, 'check')?.service ?? null
  }

  #serviceAbove(url: URL): Service | null {
    const under = [...this.#services.values()].filter(({ base }) => isUnder(url, base))
    return under.sort((a, b) => b.base.pathname.length - a.base.pathname.length)[0] ?? null
  }

  #fromUrl(target: string): Destination | null {
    const url = httpUrl(target)
    return url === null ? null : destinationOf(url, this.#serviceAbove(url))
  }

  #fromService(target: string, operation: Operation): Destination | null {
    const named = this.#named(target)
    if (named === undefined) return null
    const { service, name } = named
    if (name === null && operation !== 'check') return null
    const url = new URL(service.base)
    url.pathname = joined(url.pathname, name === null ? '_check' : `${name}/${operation}`)
    return destinationOf(url, service)
  }

  /** A participant's name, or the bare name of a service, whose check-back it then is. */
  #named(target: string): { service: Service; name: string | null } | undefined {
    const parts = splitParticipantName(target)
    const service = this.#services.get(parts?.service ?? target)
    return service === undefined ? undefined : { service, name: parts?.name ?? null }
  }
}

function destinationOf(url: URL, service: Service | null): Destination {
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    service,
    isPublic: isPublicLiteral(url.hostname),
    headers: [...fixedHeaders, ...(service?.headers ?? [])],
  }
}

/** The header array of one call: undici sends it as it is. */
export function callHeaders(destination: Destination, call: Call): string[] {
  const headers = [
    ...destination.headers,
    headerNames.store,
    call.store,
    headerNames.transaction,
    call.transaction,
    headerNames.branch,
    call.branch,
    headerNames.operation,
    call.operation,
    headerNames.attempt,
    String(call.attempt),
    headerNames.begun,
    String(call.begunAt),
  ]
  if (call.traceparent !== null) headers.push(headerNames.traceparent, call.traceparent)
  return headers
}

function prepare(name: string, settings: ServiceSettings): Service {
  const base = httpUrl(settings.url)
  if (!isServiceName(name))
    throw misconfigured(name, 'the name must be 1 to 64 characters of A-Z a-z 0-9 _ ~ -, not starting with "_"')
  if (base === null) throw misconfigured(name, 'url must be http or https, without credentials, and not link-local')
  if (base.search !== '' || base.hash !== '') throw misconfigured(name, 'url must have no query and no fragment')
  const headers = Object.entries(settings.headers ?? {}).flatMap(([header, value]) => {
    if (reservedHeaders.includes(header.toLowerCase()))
      throw misconfigured(name, `the header ${header} is set by Lockstep`)
    return [header.toLowerCase(), value]
  })
  const secrets = settings.secret === undefined ? [] : [settings.secret].flat()
  return {
    name,
    base,
    headers,
    keys: secrets.map((secret) => new SigningKey(secret)),
    ca: settings.ca,
    barrier: settings.barrier ?? false,
  }
}

/** Null for anything but http and https, for credentials in the URL (they would end up in logs), and for forbidden hosts. */
export function httpUrl(text: string): URL | null {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null
  return url.username === '' && url.password === '' && !isForbiddenHost(url.hostname) ? url : null
}

/** Compares whole path segments: `/bank-ab` does not lie under `/bank-a`. */
function isUnder(url: URL, base: URL): boolean {
  return (
    url.origin === base.origin && (url.pathname === base.pathname || url.pathname.startsWith(joined(base.pathname, '')))
  )
}

function joined(path: string, rest: string): string {
  return `${path.endsWith('/') ? path : `${path}/`}${rest}`
}

function misconfigured(name: string, problem: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message: `Service ${name}: ${problem}.` })
}
