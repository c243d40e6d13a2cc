import { isLockstepError, LockstepError, messageOf } from '../../errors.ts'

/** The SQLSTATE of an error that the server sent, or null. */
export function sqlState(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null
}

/**
 * True where only the data of one entry is to blame: a value that does not fit (22), a broken constraint (23), or an
 * index entry beyond the server's limits (54).
 */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error) ?? sqlState((error as { cause?: unknown } | null)?.cause)
  return dataStates.test(state ?? '')
}

const dataStates = /^(22|23|54)/
const diskStates = new Set(['53100', '58030', 'XX001', 'XX002'])
const accessStates = /^(28|3D|42501)/
const missingStates = new Set(['42P01', '42703', '3F000'])

/**
 * Everything that is not known to be final counts as a lost answer: the batch is repeated, and a repeat tells.
 * `where` names the server without credentials.
 */
export function toLockstepError(error: unknown, where: string): LockstepError {
  if (isLockstepError(error)) return error
  const state = sqlState(error) ?? ''
  const said = reasonOf(error)
  if (dataStates.test(state)) {
    return new LockstepError('LOCKSTEP_INVALID_REQUEST', {
      message: `The store ${where} cannot take that: ${said}.`,
      cause: error,
    })
  }
  if (diskStates.has(state) || (error as { severity?: unknown } | null)?.severity === 'PANIC') {
    return new LockstepError('LOCKSTEP_STORE_FAILED', {
      message: `The store ${where} failed on disk: ${said}.`,
      cause: error,
    })
  }
  if (missingStates.has(state)) {
    const message = `The schema of the store ${where} is not the one this program works with: ${said}.`
    return new LockstepError('LOCKSTEP_SCHEMA_MISMATCH', { message, cause: error })
  }
  if (/^(0A|42)/.test(state) && state !== '42501') {
    return new LockstepError('LOCKSTEP_BUG', {
      message: `The store ${where} refused a statement: ${said}.`,
      cause: error,
    })
  }
  return new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', {
    message: `The store ${where} does not answer: ${said}.`,
    cause: error,
  })
}

/** When a store is opened, a wrong password or database is a mistake to be mended, not something to wait for. */
export function toOpenError(error: unknown, where: string): LockstepError {
  const state = sqlState(error)
  if (state !== null && accessStates.test(state)) {
    return new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `PostgreSQL at ${where} refuses: ${messageOf(error)}.`,
      next: 'Check user, password, database and rights in the store URL.',
      cause: error,
    })
  }
  const translated = toLockstepError(error, where)
  if (translated.code !== 'LOCKSTEP_STORE_UNAVAILABLE') return translated
  return new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', {
    message: translated.message,
    outcome: 'not-applied',
    next: 'Check the store URL and that PostgreSQL runs.',
    cause: error,
  })
}

/** A refused connection may come without a message, or as several errors, one per address. */
function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  const message = messageOf(error)
  if (typeof code !== 'string') return message
  return message === '' ? code : `${message} (${code})`
}
