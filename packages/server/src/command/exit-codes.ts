import { type ErrorCode, errorTable } from 'lockstep'

/** What scripts branch on (protocol.md section 7). */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3, refused: 4, unreachable: 5 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 400) return exitCodes.usage
  if (status === 404 || status === 410) return exitCodes.notFound
  if (status === 401 || status === 403 || status === 409 || status === 422) return exitCodes.refused
  return exitCodes.failed
}

export function exitCodeOf(code: ErrorCode): ExitCode {
  if (code === 'LOCKSTEP_UNREACHABLE' || code === 'LOCKSTEP_LOCK_UNAVAILABLE') return exitCodes.unreachable
  return exitCodeOfStatus(errorTable[code].status)
}
