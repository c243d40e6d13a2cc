import type { Logger } from 'lockstep'
import pino from 'pino'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Nothing else is ever written: what is not listed cannot leak. No payload, no header value, no query of a URL. */
const fieldsAllowed: ReadonlySet<string> = new Set([
  'action',
  'ageMs',
  'branch',
  'code',
  'count',
  'dropped',
  'epoch',
  'error',
  'id',
  'instance',
  'kind',
  'method',
  'operation',
  'outcome',
  'path',
  'pattern',
  'reason',
  'signal',
  'stack',
  'status',
  'store',
  'traceId',
  'tries',
  'url',
])

/** JSON lines on stdout, written at once, so that the last words of a process are there. */
export function jsonLog(level: LogLevel): Logger {
  const destination = pino.destination({ fd: 1, sync: true })
  // Whoever reads the log may go away; the transactions go on.
  destination.on('error', () => {})
  const base = { pid: process.pid }
  const options = { level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: levelWord } }
  const log = pino(options, destination)
  return {
    debug: (fields, message) => log.debug(allowed(fields), message),
    info: (fields, message) => log.info(allowed(fields), message),
    warn: (fields, message) => log.warn(allowed(fields), message),
    error: (fields, message) => log.error(allowed(fields), message),
  }
}

function levelWord(label: string) {
  return { level: label }
}

function allowed(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => fieldsAllowed.has(name)))
}
