import { durationMs } from 'lockstep/protocol'
import { z } from 'zod'
import { logLevels } from './json-log.ts'

/** A duration stays as it was written; the coordinator reads it. This only refuses what it would refuse. */
const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const given = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  try {
    return durationMs(given, 'it', { minMs: 1_000 })
  } catch {
    context.addIssue({ code: 'custom', message: "must be milliseconds from 1000 on, or a text such as '10m' or '7d'" })
    return z.NEVER
  }
})

function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`
  const number = z.number(message).int(message).min(min, message).max(max, message)
  return z.preprocess((value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value), number)
}

const yesOrNo = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean('must be true or false'),
)

const text = z.string('must be a text').min(1, 'is empty')

const webUrl = text.refine((given) => {
  const url = URL.parse(given)
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  return isWeb && url.username === '' && url.password === ''
}, 'must be an http or https URL without credentials')

const service = z.strictObject({
  url: text,
  secret: z.union([text, z.array(text)]).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  ca: text.optional(),
  barrier: z.boolean().optional(),
})

export const servicesSchema = z.record(z.string(), service)

/** Every setting of `lockstep serve`: its value in a file, and what it is called elsewhere. */
export const settingSchemas = {
  port: wholeNumber(0, 65_535),
  host: text,
  store: text,
  services: z.union([text, servicesSchema]),
  init: yesOrNo,
  logLevel: z.enum(logLevels),
  intake: wholeNumber(1, 1_000_000),
  retentionFinished: duration,
  retentionIds: duration,
  alertWebhook: webUrl,
} as const

export type SettingKey = keyof typeof settingSchemas

export interface SettingNames {
  readonly flags: string
  readonly environment: string
  readonly help: string
}

export const settingNames: Readonly<Record<SettingKey, SettingNames>> = {
  port: { flags: '--port <number>', environment: 'LOCKSTEP_PORT', help: 'port to listen on (default 4600)' },
  host: {
    flags: '--host <address>',
    environment: 'LOCKSTEP_HOST',
    help: 'loopback address to listen on (default 127.0.0.1)',
  },
  store: {
    flags: '--store <url>',
    environment: 'LOCKSTEP_STORE',
    help: 'sqlite:./file.db, postgres://user@host/database, or memory: (default sqlite:./lockstep.db)',
  },
  services: {
    flags: '--services <file>',
    environment: 'LOCKSTEP_SERVICES',
    help: 'JSON file: name to { url, secret?, barrier?, headers?, ca? }',
  },
  init: { flags: '--init', environment: 'LOCKSTEP_INIT', help: 'bring the schema of the store up to date first' },
  logLevel: {
    flags: '--log-level <level>',
    environment: 'LOCKSTEP_LOG_LEVEL',
    help: `${logLevels.join(', ')} (default info)`,
  },
  intake: {
    flags: '--intake <number>',
    environment: 'LOCKSTEP_INTAKE',
    help: 'transactions at work at once; beyond it 429 (default 10000)',
  },
  retentionFinished: {
    flags: '--retention-finished <duration>',
    environment: 'LOCKSTEP_RETENTION_FINISHED',
    help: 'how long finished transactions keep their details (default 7d)',
  },
  retentionIds: {
    flags: '--retention-ids <duration>',
    environment: 'LOCKSTEP_RETENTION_IDS',
    help: 'how long their ids and end states are kept (default 31d)',
  },
  alertWebhook: {
    flags: '--alert-webhook <url>',
    environment: 'LOCKSTEP_ALERT_WEBHOOK',
    help: 'gets every alert as JSON; signed with LOCKSTEP_ALERT_WEBHOOK_SECRET where that is set',
  },
}

export const settingKeys = Object.keys(settingSchemas) as SettingKey[]
