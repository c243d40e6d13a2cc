import { LockstepError } from '../errors.ts'

export interface AddressSettings {
  /** Where the coordinator is, such as `http://127.0.0.1:4600`. A path in front of `/v1` is kept. */
  readonly url: string
  /** Sent as `Authorization: Bearer`. It stands in no error and in no log. */
  readonly key?: string
  /** Sent with every request, for example what a gateway in between asks for. */
  readonly headers?: Readonly<Record<string, string>>
}

/** All that a request needs to know of where it goes, prepared once. */
export interface Address {
  readonly origin: string
  /** The path in front of `/v1`, without a slash at its end. */
  readonly base: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
}

const ownHeaders = [
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'traceparent',
  'transfer-encoding',
]

/** Fails with `LOCKSTEP_CONFIGURATION`, in words that give no secret away. */
export function readAddress({ url, key, headers = {} }: AddressSettings): Address {
  const { origin, pathname } = readUrl(url)
  const given = Object.entries(headers).map(([name, value]) => readHeader(name.toLowerCase(), value))
  const reserved = key === undefined ? ownHeaders : [...ownHeaders, 'authorization']
  const taken = given.find(([name]) => reserved.includes(name))
  if (taken !== undefined) throw misconfigured(`headers: ${taken[0]} is set by Lockstep`)
  const authorization = key === undefined ? [] : ['authorization', `Bearer ${readKey(key)}`]
  return {
    origin,
    base: pathname.replace(/\/+$/, ''),
    headers: ['accept', 'application/json', ...authorization, ...given.flat()],
  }
}

function readUrl(text: string): URL {
  const url = URL.parse(text)
  // Credentials in a URL end up in logs, and a query would swallow the path that is added to it.
  const isPlain = url !== null && `${url.username}${url.password}${url.search}${url.hash}` === ''
  if (isPlain && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw misconfigured('url must be an http or https URL without credentials, query and fragment')
}

function readHeader(name: string, value: unknown): readonly [string, string] {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw misconfigured('headers: a name is no token of HTTP')
  if (typeof value !== 'string' || !/^[\t\x20-\x7e]*$/.test(value)) {
    throw misconfigured(`headers: the value of ${name} must be a text of visible ASCII`)
  }
  return [name, value]
}

function readKey(key: unknown): string {
  if (typeof key === 'string' && /^[\x21-\x7e]+$/.test(key)) return key
  throw misconfigured('key must be a text of visible ASCII without spaces')
}

function misconfigured(problem: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The coordinator's address is not valid: ${problem}.`,
    next: "Give it like { url: 'http://127.0.0.1:4600', key: 'id.secret' }.",
  })
}
