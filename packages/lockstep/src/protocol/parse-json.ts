import { LockstepError } from '../errors.ts'
import type { Json } from '../ports/index.ts'
import { jsonDepthMax, jsonKeysMax } from './limits.ts'

/** Only long or exponent numbers can fail to survive; all other texts skip the slow comparison of literals. */
const suspiciousNumber = /[\d.]{16}|\d[eE]/

/**
 * Parses a body from outside. Fails with `LOCKSTEP_INVALID_REQUEST` on broken JSON, on depth or keys beyond the limits, on
 * keys that poison prototypes, and on number literals that a double cannot hold.
 */
export function parseJson(text: string): Json {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    // The parser's own message quotes the body, and payloads do not belong in errors.
    throw invalid('', 'The body is not valid JSON.')
  }
  if (typeof value === 'object' && value !== null) checkShape(value, 1)
  if (suspiciousNumber.test(text)) checkNumbers(text)
  return value
}

function checkShape(value: object, depth: number): void {
  if (depth > jsonDepthMax) throw invalid('', `The body is nested deeper than ${jsonDepthMax} levels.`)
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) checkShape(item, depth + 1)
    return
  }
  const keys = Object.keys(value)
  if (keys.length > jsonKeysMax) throw invalid('', `An object has more than ${jsonKeysMax} keys.`)
  for (const key of keys) {
    const property: unknown = (value as Record<string, unknown>)[key]
    if (key === '__proto__' || (key === 'constructor' && hasPrototypeKey(property))) {
      throw invalid('', `The key "${key}" is not allowed.`)
    }
    if (typeof property === 'object' && property !== null) checkShape(property, depth + 1)
  }
}

function hasPrototypeKey(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

function checkNumbers(text: string): void {
  JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source
    if (typeof value === 'number' && source !== undefined && !sameDecimal(source, String(value))) {
      throw invalid('', 'A number in the body does not survive as a double; send it as a string.')
    }
    return null
  })
}

/** Whether two decimal literals mean the same number, however they are written. */
function sameDecimal(left: string, right: string): boolean {
  const a = normalised(left)
  const b = normalised(right)
  return a.digits === b.digits && a.exponent === b.exponent && (a.negative === b.negative || a.digits === '')
}

function normalised(literal: string): { negative: boolean; digits: string; exponent: number } {
  const [mantissa = '', power = '0'] = literal
    .toLowerCase()
    .replace('-', literal.startsWith('-') ? '' : '-')
    .split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const trimmed = (whole + fraction).replace(/^0+/, '')
  const digits = trimmed.replace(/0+$/, '')
  const exponent = digits === '' ? 0 : Number(power) - fraction.length + (trimmed.length - digits.length)
  return { negative: literal.startsWith('-'), digits, exponent }
}

function invalid(path: string, message: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path, message }] })
}
