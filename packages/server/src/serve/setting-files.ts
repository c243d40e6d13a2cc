import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { LockstepError, messageOf, type ServiceSettings } from 'lockstep'
import { servicesSchema, settingKeys } from './setting-table.ts'

export interface SettingSources {
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** A value, and where it stands, so that an error can say what to mend. */
export interface Given {
  readonly value: unknown
  readonly from: string
}

/** The settings of the file that `--config` or `LOCKSTEP_CONFIG` names; none without one. */
export function fromFile({ flags, environment }: SettingSources): ReadonlyMap<string, Given> {
  const path = flags['config'] ?? environment['LOCKSTEP_CONFIG']
  if (typeof path !== 'string') return new Map()
  const entries = Object.entries(readJsonObject(path, 'The configuration file'))
  const unknown = entries.map(([key]) => key).filter((key) => !(settingKeys as readonly string[]).includes(key))
  if (unknown.length > 0) {
    throw unusable(`${path} has the unknown key ${unknown.join(', ')}.`, `Known are ${settingKeys.join(', ')}.`)
  }
  const value = (key: string, given: unknown) => (key === 'services' ? besideFile(given, path) : given)
  return new Map(entries.map(([key, given]) => [key, { value: value(key, given), from: `${path}: ${key}` }]))
}

/** A path in a file is meant from where that file is. */
function besideFile(given: unknown, path: string): unknown {
  return typeof given === 'string' && given !== '' ? resolve(dirname(path), given) : given
}

/** The value of `<name>_FILE`: a secret that stands in no environment. */
export function readSecret(name: string, environment: SettingSources['environment']): string | undefined {
  const path = environment[`${name}_FILE`]
  if (path === undefined) return undefined
  if (environment[name] !== undefined) {
    throw unusable(`Both ${name} and ${name}_FILE are set.`, 'Keep one of them.')
  }
  return readText(path, `The file of ${name}_FILE`).trim()
}

export type GivenServices = string | Readonly<Record<string, unknown>> | undefined

export function readServices(given: GivenServices): Record<string, ServiceSettings> {
  if (given === undefined) return {}
  const where = typeof given === 'string' ? given : 'services'
  const value = typeof given === 'string' ? readJsonObject(given, 'The services file') : given
  const result = servicesSchema.safeParse(value)
  if (!result.success) {
    const [issue] = result.error.issues
    const place = issue?.path.join('.') ?? ''
    throw unusable(`${where}: ${place} ${issue?.message ?? 'is not valid'}.`)
  }
  return result.data as Record<string, ServiceSettings>
}

function readJsonObject(path: string, what: string): Record<string, unknown> {
  const value = parse(readText(path, what), `${what} ${path}`)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw unusable(`${what} ${path} must hold one JSON object.`)
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the file, and a secret may stand there.
    throw unusable(`${what} is not valid JSON.`)
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw unusable(`${what} cannot be read: ${messageOf(error)}.`)
  }
}

export function unusable(message: string, next?: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message, ...(next === undefined ? {} : { next }) })
}
