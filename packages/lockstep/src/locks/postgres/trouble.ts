import { isLockstepError, LockstepError, messageOf } from '../../errors.ts'
import type { LockAsk } from '../../ports/index.ts'

/** Nobody knows whether the statement had its effect; without it the server has refused it. */
export class NoAnswer extends Error {
  /** It was never given to a connection. */
  readonly wasSent: boolean

  constructor(message: string, options: { wasSent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.wasSent = options.wasSent
  }
}

/** Passwords, databases, rights, tables of another shape: somebody has to mend them. */
const hopeless = /^(28|3D|3F|42|0A)/

/** No class of SQLSTATE begins with E, but codes of the network do, such as EPIPE. */
export function sqlStateOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : ''
}

/**
 * The server starts, stops, has crashed, is short of something, or is a standby that may be promoted; the connection to it failed; it has
 * rolled the statement back for another one's sake, or for lasting too long.
 */
const passing = /^(57P0[1235]|57014|55P03|25006|08|40|53)/
/** Told by the client of pg without a code: somebody has to mend these as well. */
const unmendedClient = /^(SASL|The server does not support SSL|Cannot use a pool after)/

/** What may be over at the next try. */
export function mayPass(error: unknown): boolean {
  const cause = error instanceof NoAnswer ? (error.cause ?? error) : error
  const state = sqlStateOf(cause)
  if (state !== '') return passing.test(state)
  if (!(error instanceof NoAnswer)) return false
  const { code } = cause as { code?: unknown }
  // Codes of the network begin with E; those of TLS, which has found a wrong certificate, do not, or with ERR_.
  if (typeof code === 'string') return /^E(?!RR_)/.test(code)
  return !unmendedClient.test(messageOf(cause))
}

/** In the words of the lock contract: configuration for what will not pass by itself, unavailable for everything else. */
export function toLockError(error: unknown, backend: string): LockstepError {
  if (isLockstepError(error)) return error
  const message = `${backend}: ${messageOf(error)}`
  if (hopeless.test(sqlStateOf(error) || sqlStateOf((error as { cause?: unknown } | null)?.cause)))
    return new LockstepError('LOCKSTEP_CONFIGURATION', {
      message,
      next: 'Check user, password and database, and that the user may create or use the tables of the locks in their schema.',
      cause: error,
    })
  const outcome = error instanceof NoAnswer && error.wasSent ? 'unknown' : 'not-applied'
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message, outcome, details: { backend }, cause: error })
}

export function unsupported(ask: LockAsk): LockstepError<'LOCKSTEP_LOCK_UNSUPPORTED'> {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
    message: `Locks on PostgreSQL are mutexes, and ${ask.name} is asked for as ${ask.mode.kind}.`,
    details: { name: ask.name },
  })
}
