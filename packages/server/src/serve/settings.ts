import { isIPv4 } from 'node:net'
import type { ServiceSettings } from 'lockstep'
import type { LogLevel } from './json-log.ts'
import { fromFile, type Given, readSecret, readServices, type SettingSources, unusable } from './setting-files.ts'
import { type SettingKey, settingKeys, settingNames, settingSchemas } from './setting-table.ts'

/** What `lockstep serve` works with once flags, environment, file and defaults are one. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly store: string
  readonly services: Readonly<Record<string, ServiceSettings>>
  readonly init: boolean
  readonly logLevel: LogLevel
  readonly intake: number | undefined
  readonly retentionFinished: number | undefined
  readonly retentionIds: number | undefined
  readonly alertWebhook: AlertWebhook | undefined
}

export interface AlertWebhook {
  readonly url: string
  readonly secret: string | undefined
}

const alertSecretName = 'LOCKSTEP_ALERT_WEBHOOK_SECRET'

/** Keys that belong to the client commands, to this reader itself, or to fail points, which only a test build has. */
const otherKeys = new Set([
  'LOCKSTEP_URL',
  'LOCKSTEP_KEY',
  'LOCKSTEP_CONFIG',
  'LOCKSTEP_STORE_FILE',
  alertSecretName,
  `${alertSecretName}_FILE`,
  'LOCKSTEP_FAILPOINTS',
])
const testPrefix = 'LOCKSTEP_TEST_'

/** Flags over environment over file over defaults. Fails with `LOCKSTEP_CONFIGURATION`, also for a key that nobody knows. */
export function readSettings(sources: SettingSources): Settings {
  const { environment } = sources
  refuseUnknownKeys(environment)
  const file = fromFile(sources)
  const read = <Key extends SettingKey>(key: Key) => readSetting(key, { ...sources, file })
  const host = read('host') ?? '127.0.0.1'
  refusePublic(host)
  return {
    port: read('port') ?? 4600,
    host,
    store: storeOf(sources, file),
    services: readServices(read('services')),
    init: read('init') ?? false,
    logLevel: read('logLevel') ?? 'info',
    intake: read('intake'),
    retentionFinished: read('retentionFinished'),
    retentionIds: read('retentionIds'),
    alertWebhook: webhookOf(read('alertWebhook'), environment),
  }
}

/** The secret has no flag and stands in no file of settings: both are read by more people than may know it. */
function webhookOf(url: string | undefined, environment: SettingSources['environment']): AlertWebhook | undefined {
  const fromFile = readSecret(alertSecretName, environment)
  const from = fromFile === undefined ? alertSecretName : `${alertSecretName}_FILE`
  const secret = fromFile ?? environment[alertSecretName]
  if (url === undefined && secret !== undefined) {
    throw unusable(`${from} is set, and nothing to sign with it.`, 'Set --alert-webhook or LOCKSTEP_ALERT_WEBHOOK too.')
  }
  // 24 to 64 bytes in base64, as for the secrets of services.
  if (secret !== undefined && !/^whsec_[A-Za-z0-9+/_-]{32,86}={0,2}$/.test(secret)) {
    const next = "Make one with: node -p \"'whsec_' + crypto.randomBytes(32).toString('base64')\""
    throw unusable(`${from} must be "whsec_" followed by 24 to 64 bytes in base64.`, next)
  }
  return url === undefined ? undefined : { url, secret }
}

/** The store alone, for commands that need no server. */
export function readStore(sources: SettingSources): string {
  refuseUnknownKeys(sources.environment)
  return storeOf(sources, fromFile(sources))
}

function storeOf(sources: SettingSources, file: ReadonlyMap<string, Given>): string {
  const secret = readSecret('LOCKSTEP_STORE', sources.environment)
  const environment = secret === undefined ? sources.environment : { ...sources.environment, LOCKSTEP_STORE: secret }
  return readSetting('store', { ...sources, environment, file }) ?? 'sqlite:./lockstep.db'
}

type AllSources = SettingSources & { readonly file: ReadonlyMap<string, Given> }

function readSetting<Key extends SettingKey>(key: Key, sources: AllSources) {
  const given = find(key, sources)
  if (given === undefined) return undefined
  const result = settingSchemas[key].safeParse(given.value)
  if (result.success) return result.data as ReturnType<(typeof settingSchemas)[Key]['parse']>
  const [issue] = result.error.issues
  const place = issue === undefined || issue.path.length === 0 ? given.from : `${given.from}.${issue.path.join('.')}`
  throw unusable(
    `${place} ${issue?.code === 'invalid_value' ? `must be one of: ${issue.values.join(', ')}` : issue?.message}.`,
  )
}

function find(key: SettingKey, { flags, environment, file }: AllSources): Given | undefined {
  const names = settingNames[key]
  if (flags[key] !== undefined) return { value: flags[key], from: names.flags.split(' ')[0] ?? key }
  const variable = environment[names.environment]
  if (variable !== undefined) return { value: variable, from: names.environment }
  return file.get(key)
}

function refuseUnknownKeys(environment: SettingSources['environment']): void {
  const known = new Set([...settingKeys.map((key) => settingNames[key].environment), ...otherKeys])
  const unknown = Object.keys(environment).filter((key) => {
    return key.startsWith('LOCKSTEP_') && !key.startsWith(testPrefix) && !known.has(key)
  })
  if (unknown.length === 0) return
  const message = `The environment has ${unknown.sort().join(', ')}, which is no setting of Lockstep.`
  throw unusable(message, `Remove or rename it. Known are ${[...known].sort().join(', ')}.`)
}

function refusePublic(host: string): void {
  if (host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return
  throw unusable(
    `--host ${host} is reachable from other machines, and no API key is set: anybody there could call every service.`,
    'Listen on 127.0.0.1, ::1 or localhost. This version has no API keys yet, so it serves loopback only.',
  )
}
