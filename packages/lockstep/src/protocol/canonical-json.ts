import { LockstepError } from '../errors.ts'
import { jsonDepthMax } from './limits.ts'

/**
 * RFC 8785: one text per JSON value, so that equal content has an equal hash.
 *
 * Keys are sorted by UTF-16 units, numbers and strings are written as ECMAScript writes them. A property that is
 * `undefined` is left out, as JSON does. Everything that would come back as another value is refused with
 * `LOCKSTEP_INVALID_REQUEST` and the JSON Pointer of the place: NaN, infinities, bigint, functions, dates and other
 * class instances, cycles and depth beyond the limit, lone surrogates, and integers beyond 2^53 that are written as
 * digits: such a number has most likely lost its last ones already, and two different ids would get one hash.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '', 0)
}

function write(value: unknown, path: string, depth: number): string {
  if (value === null || value === true || value === false) return String(value)
  if (typeof value === 'string') return writeString(value, path)
  if (typeof value === 'number') return writeNumber(value, path)
  if (typeof value !== 'object') throw notJson(path, `A ${typeof value} is not JSON.`)
  if (depth >= jsonDepthMax) throw notJson(path, `The value is nested deeper than ${jsonDepthMax} levels.`)
  return Array.isArray(value) ? writeArray(value, path, depth) : writeObject(value, path, depth)
}

function writeArray(items: readonly unknown[], path: string, depth: number): string {
  let text = '['
  for (let index = 0; index < items.length; index++) {
    text += (index === 0 ? '' : ',') + write(items[index], `${path}/${index}`, depth + 1)
  }
  return `${text}]`
}

function writeObject(value: object, path: string, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw notJson(path, `A ${value.constructor.name} is not JSON; convert it to plain values first.`)
  }
  const properties = value as Record<string, unknown>
  let text = ''
  for (const key of Object.keys(properties).sort()) {
    const property = properties[key]
    if (property === undefined) continue
    const pointer = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    text += `${text === '' ? '' : ','}${writeString(key, pointer)}:${write(property, pointer, depth + 1)}`
  }
  return `{${text}}`
}

function writeString(text: string, path: string): string {
  if (!text.isWellFormed()) throw notJson(path, 'The text holds half of a surrogate pair, which UTF-8 cannot carry.')
  return JSON.stringify(text)
}

function writeNumber(value: number, path: string): string {
  if (!Number.isFinite(value)) throw notJson(path, `${value} is not a JSON number.`)
  const magnitude = Math.abs(value)
  if (magnitude > Number.MAX_SAFE_INTEGER && magnitude < 1e21) {
    throw notJson(path, 'The integer is beyond 2^53 and does not survive; send it as a string.')
  }
  return JSON.stringify(value)
}

function notJson(path: string, message: string): LockstepError {
  const place = path === '' ? 'the value' : path
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: `Not valid JSON at ${place}: ${message}`,
    issues: [{ path, message }],
  })
}
