import { type InputIssue, LockstepError } from '../errors.ts'
import type { Json } from '../ports/index.ts'

export type JsonObject = { readonly [key: string]: Json }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Collects everything that is wrong with an input before refusing it, so that a person mends it in one go. Each issue names
 * its place as a JSON Pointer.
 */
export class Checker {
  readonly issues: InputIssue[] = []
  /** Targets that are well-formed and may not be called. */
  readonly forbidden: InputIssue[] = []

  add(path: string, message: string): void {
    this.issues.push({ path, message })
  }

  forbid(path: string, message: string): void {
    this.forbidden.push({ path, message })
  }

  /** Runs a check that throws a `LOCKSTEP_INVALID_REQUEST` or answers a value; undefined when it threw. */
  attempt<T>(path: string, check: () => T): T | undefined {
    try {
      return check()
    } catch (error) {
      this.add(path, error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  keys(object: JsonObject, path: string, known: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (!known.includes(key)) this.add(`${path}/${escapeToken(key)}`, `unknown key; known are ${known.join(', ')}`)
    }
  }

  string(object: JsonObject, key: string, path: string): string | undefined {
    return this.typed(object, key, path, 'a string', (value) => typeof value === 'string') as string | undefined
  }

  boolean(object: JsonObject, key: string, path: string): boolean | undefined {
    return this.typed(object, key, path, 'true or false', (value) => typeof value === 'boolean') as boolean | undefined
  }

  array(object: JsonObject, key: string, path: string): readonly Json[] | undefined {
    return this.typed(object, key, path, 'an array', Array.isArray) as readonly Json[] | undefined
  }

  object(object: JsonObject, key: string, path: string): JsonObject | undefined {
    return this.typed(object, key, path, 'an object', isObject) as JsonObject | undefined
  }

  private typed(object: JsonObject, key: string, path: string, what: string, is: (value: Json) => boolean): unknown {
    const value = object[key]
    if (value === undefined) return undefined
    if (is(value)) return value
    this.add(`${path}/${escapeToken(key)}`, `must be ${what}`)
    return undefined
  }

  /** Throws `LOCKSTEP_INVALID_REQUEST` with every issue found, or `LOCKSTEP_URL_NOT_ALLOWED` when only that is wrong. */
  done(): void {
    if (this.issues.length > 0) throw refusal('LOCKSTEP_INVALID_REQUEST', this.issues)
    if (this.forbidden.length > 0) throw refusal('LOCKSTEP_URL_NOT_ALLOWED', this.forbidden)
  }
}

function refusal(
  code: 'LOCKSTEP_INVALID_REQUEST' | 'LOCKSTEP_URL_NOT_ALLOWED',
  issues: readonly InputIssue[],
): LockstepError {
  const [first] = issues
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  const message = `${first?.path === '' ? 'The body' : first?.path} ${first?.message}${more}`
  return new LockstepError(code, { message, issues })
}

function escapeToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
