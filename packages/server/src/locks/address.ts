/** Where a lock backend is, read from a URL that may hold a password: no error says more of it than its scheme and the names of options. */
import { LockstepError } from 'lockstep'

export interface Host {
  /** Without the brackets of an IPv6 address. */
  readonly name: string
  readonly port: number
}

export interface Address {
  readonly scheme: string
  /** Empty only where it is said not to be needed. */
  readonly hosts: readonly Host[]
  readonly user: string | null
  readonly password: string | null
  /** With its slash, and empty without one; decoded, as everything here. */
  readonly path: string
  readonly options: ReadonlyMap<string, string>
}

export interface AddressRules {
  readonly usualPort: number
  /** Null where the client of the backend reads them, and knows more of them than we. */
  readonly options: readonly string[] | null
  readonly hostsMax?: number
  /** A socket of this machine may take the place of a host. */
  readonly needsHost?: boolean
}

/** Fails with `LOCKSTEP_CONFIGURATION`. */
export function readAddress(url: string, rules: AddressRules): Address {
  const { scheme, userInfo, hosts, path, query } = partsOf(url)
  const [user = null, password = null] =
    userInfo === null ? [] : splitOnce(userInfo, ':').map((one) => decoded(one, scheme))
  return {
    scheme,
    hosts: hostsIn(hosts, scheme, rules),
    user: user === '' ? null : user,
    password,
    path: decoded(path, scheme),
    options: optionsIn(query, scheme, rules.options),
  }
}

export function hostText({ name, port }: Host): string {
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
}

export function hostsText({ hosts }: Address): string {
  return hosts.map(hostText).join(',')
}

/** The usage error of an address. It must not hold any part that may be a piece of a password. */
export function mistakenAddress(scheme: string, what: string, next: string): LockstepError<'LOCKSTEP_CONFIGURATION'> {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message: `The address of the ${scheme} backend ${what}.`, next })
}

/** Of every URL in a text. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/:\/\/[^\s"]*@/g, '://…@')
}

/** What a server says may hold what it was sent. */
export function withoutSecretsOf(url: string, text: string): string {
  const passwords = [...url.matchAll(/:\/\/[^/?#@:]*:([^/?#]*?)@(?=[^/?#@]*(?:[/?#]|$))/g)].map(
    (found) => found[1] ?? '',
  )
  const spellings = passwords.flatMap((one) => (one === '' ? [] : [one, decoded(one, '')]))
  return spellings.reduce((shown, secret) => shown.replaceAll(secret, '…'), withoutPasswords(text))
}

function partsOf(url: string) {
  const found = /^([a-z+]+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#?)/.exec(url)
  const [, scheme = '', authority = '', path = '', query = '', fragment = ''] = found ?? []
  // Behind an unescaped / ? or # of a password stands the host with its @: what would be read as path or options is part of a secret.
  if (fragment !== '' || `${path}${query}`.includes('@'))
    throw mistakenAddress(
      scheme,
      'has a # or, behind its hosts, an @',
      'In user, password, path and options write / ? # @ : , as %2F %3F %23 %40 %3A %2C.',
    )
  const at = authority.lastIndexOf('@')
  const userInfo = at < 0 ? null : authority.slice(0, at)
  return { scheme, userInfo, hosts: authority.slice(at + 1), path, query }
}

function hostsIn(text: string, scheme: string, rules: AddressRules): readonly Host[] {
  const { usualPort, hostsMax = Number.POSITIVE_INFINITY, needsHost = true } = rules
  if (text === '' && !needsHost) return []
  const texts = text.split(',')
  if (texts.length > hostsMax)
    throw mistakenAddress(
      scheme,
      'names several hosts',
      `Write one host and port, ${scheme}://host:${usualPort}; several masters of RedLock are several such URLs with commas.`,
    )
  return texts.map((one) => {
    const {
      v6,
      name = v6,
      port = usualPort,
    } = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<name>[^:[\]\s]+))(?::(?<port>\d+))?$/.exec(one)?.groups ?? {}
    if (name !== undefined && Number(port) > 0 && Number(port) < 65_536) return { name, port: Number(port) }
    throw mistakenAddress(
      scheme,
      'names a host or a port that cannot be one',
      `Write such as ${scheme}://host:${usualPort}.`,
    )
  })
}

function optionsIn(query: string, scheme: string, known: readonly string[] | null): ReadonlyMap<string, string> {
  const options = new Map(new URLSearchParams(query))
  // A misspelt prefix would have us look elsewhere, and find nothing there.
  const unknown = [...options.keys()].find((name) => known !== null && !known.includes(name))
  if (unknown === undefined) return options
  throw mistakenAddress(scheme, `has the option ${JSON.stringify(unknown)}`, `It takes ${known?.join(', ') || 'none'}.`)
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function decoded(text: string, scheme: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw mistakenAddress(scheme, 'has a % that begins no character', 'Write % itself as %25.')
  }
}
