import { errorTable, isLockstepError, type LockstepError, messageOf } from 'lockstep'
import { type ProblemBody, problemBody } from 'lockstep/protocol'
import { CommandFailure } from './command-failure.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'

/** What a person reads, or with `--json` what a program reads: one JSON value on stdout, errors included. */
export interface Output {
  readonly json: boolean
}

export function print(output: Output, value: unknown, text: string): void {
  process.stdout.write(`${output.json ? JSON.stringify(value) : text}\n`)
}

/** Says what went wrong, to what, and how to mend it; answers the exit code. */
export function printFailure(output: Output, thrown: unknown): ExitCode {
  const problem = failureOf(thrown)
  if (output.json) process.stdout.write(`${JSON.stringify(problem)}\n`)
  const { detail, code, next, errors = [] } = problem
  const more = errors.length > 1 ? errors.map(({ path, message }) => `  ${path} ${message}`) : []
  process.stderr.write(`${[`lockstep: ${detail} [${code}]`, ...more, `  ${next}`].map(printable).join('\n')}\n`)
  if (thrown instanceof CommandFailure) return thrown.exitCode
  return isLockstepError(thrown) ? exitCodeOf(thrown.code) : exitCodes.failed
}

export function failureOf(thrown: unknown): ProblemBody {
  if (thrown instanceof CommandFailure) return thrown.problem
  if (isLockstepError(thrown)) return problemBody(thrown satisfies LockstepError)
  const { title, status, outcome, retriable, next } = errorTable.LOCKSTEP_BUG
  const code = 'LOCKSTEP_BUG'
  return {
    type: `urn:lockstep:error:${code}`,
    title,
    status,
    detail: messageOf(thrown),
    code,
    outcome,
    retriable,
    next,
  }
}

/** Texts of participants reach a terminal here, and an escape sequence in one could rewrite what a person sees. */
export function printable(text: string): string {
  return [...text].map((one) => (one < ' ' || (one >= '\u007f' && one <= '\u009f') ? '\ufffd' : one)).join('')
}
