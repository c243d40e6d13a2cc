import { Buffer } from 'node:buffer'
import type { ListFilter } from 'lockstep/ports'
import { parseDurationMs, patterns, statuses, waitMaxMs } from 'lockstep/protocol'
import { z } from 'zod'
import { checked } from './checked.ts'
import { invalid } from './problem-answer.ts'

const limitMax = 500
const labelPrefix = 'label.'
const isoTime = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/

const wait = z.string().transform((text, context) => {
  const ms = millisecondsOf(text)
  if (ms !== null && ms <= waitMaxMs) return ms
  context.addIssue({ code: 'custom', message: `must be from 0 to ${waitMaxMs} milliseconds, or a text such as '2s'` })
  return z.NEVER
})

const time = z.string().transform((text, context) => {
  const at = /^\d{1,15}$/.test(text) ? Number(text) : isoTime.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return at
  context.addIssue({
    code: 'custom',
    message: 'must be a time such as 2026-01-31T12:00:00.000Z, or milliseconds since 1970',
  })
  return z.NEVER
})

const limit = z.string().transform((text, context) => {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= limitMax) return count
  context.addIssue({ code: 'custom', message: `must be a whole number from 1 to ${limitMax}` })
  return z.NEVER
})

const waitQuery = z.strictObject({ wait: wait.optional() })

const listQuery = z.strictObject({
  status: z.enum(statuses).optional(),
  pattern: z.enum(patterns).optional(),
  held: z.enum(['true', 'false']).optional(),
  since: time.optional(),
  until: time.optional(),
  limit: limit.optional(),
  cursor: z
    .string()
    .max(200)
    .regex(/^[\w.:~-]+$/, 'is not one that a list has answered')
    .optional(),
})

/** `?wait=` of get, commit and rollback, in milliseconds. */
export function readWait(url: string): number {
  const entries = entriesOf(url)
  return entries === null ? 0 : (checked(waitQuery, Object.fromEntries(entries), queryPath).wait ?? 0)
}

export function refuseQuery(url: string): void {
  if (entriesOf(url) !== null) throw invalid('?', 'This route takes no query; everything stands in the body.')
}

export function readFilter(url: string): Partial<ListFilter> {
  const labels = new Map<string, string>()
  const columns = new Map<string, string>()
  for (const [key, value] of entriesOf(url) ?? []) {
    if (key.startsWith(labelPrefix)) labels.set(labelKey(key), labelValue(key, value))
    else columns.set(key, value)
  }
  const { held, ...rest } = checked(listQuery, Object.fromEntries(columns), queryPath)
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return {
    ...given,
    ...(held === undefined ? {} : { held: held === 'true' }),
    ...(labels.size === 0 ? {} : { labels: Object.fromEntries(labels) }),
  }
}

/** Null when there is no query at all. A key given twice is refused: nobody can tell which one was meant. */
function entriesOf(url: string): Map<string, string> | null {
  const mark = url.indexOf('?')
  if (mark < 0 || mark === url.length - 1) return null
  const entries = new Map<string, string>()
  for (const [key, value] of new URLSearchParams(url.slice(mark + 1))) {
    if (entries.has(key)) throw invalid(queryPath([key]), 'is given twice')
    entries.set(key, value)
  }
  return entries
}

function labelKey(key: string): string {
  const name = key.slice(labelPrefix.length)
  if (/^[A-Za-z0-9._:~-]{1,64}$/.test(name) && name !== '__proto__') return name
  throw invalid(queryPath([key.slice(0, 80)]), 'is no label: its name is 1 to 64 characters of A-Z a-z 0-9 . _ : ~ -')
}

function labelValue(key: string, value: string): string {
  if (Buffer.byteLength(value) <= 1_024 && ![...value].some((one) => one < ' ' || one === '\u007f')) return value
  throw invalid(queryPath([key]), 'must be a text of at most 256 characters without control characters')
}

function millisecondsOf(text: string): number | null {
  try {
    return parseDurationMs(/^\d{1,15}$/.test(text) ? Number(text) : text)
  } catch {
    return null
  }
}

function queryPath(path: readonly PropertyKey[]): string {
  return `?${path.map(String).join('.')}`
}
