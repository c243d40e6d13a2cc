import { isLockstepError, LockstepError, messageOf } from '../../errors.ts'
import { primaryCode } from '../migrations/sqlite-file.ts'
import type { ErrorFields } from './worker-messages.ts'

// SQLite's primary result codes (https://sqlite.org/rescode.html).
const busyCodes = new Set([5, 6, 7, 9]) // busy, locked, out of memory, interrupted
const dataCodes = new Set([18, 19, 20, 25]) // too big, constraint, type mismatch, parameter range
const sqlLogicError = 1

/** True where only the data of one entry is to blame, and the rest of the batch may stand. */
export function isDataError(error: unknown): boolean {
  const code = primaryCode(error)
  return code !== null && dataCodes.has(code)
}

/** Whatever is not known to pass is taken for a failed disk: a coordinator that stops loses nothing. */
export function toLockstepError(error: unknown, file: string): LockstepError {
  if (isLockstepError(error)) return error
  const code = primaryCode(error)
  if (code === null || code === sqlLogicError) {
    return new LockstepError('LOCKSTEP_BUG', { message: `The SQLite store broke: ${messageOf(error)}.`, cause: error })
  }
  if (busyCodes.has(code)) {
    const message = `The store ${file} is busy: ${messageOf(error)}.`
    return new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', { message, cause: error })
  }
  const message = `The store ${file} failed: ${messageOf(error)} (SQLite code ${code}).`
  return new LockstepError('LOCKSTEP_STORE_FAILED', { message, cause: error })
}

export function fieldsOf(error: LockstepError): ErrorFields {
  const { code, message, outcome, retriable, next } = error
  return { code, message, outcome, retriable, next }
}

export function errorFrom(fields: ErrorFields): LockstepError {
  const { code, ...options } = fields
  return new LockstepError(code, options)
}
