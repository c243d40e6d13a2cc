import type { ProblemBody } from 'lockstep/protocol'
import type { ExitCode } from './exit-codes.ts'

/** A command that ends with a problem that was answered, and the exit code that goes with it. */
export class CommandFailure extends Error {
  readonly problem: ProblemBody
  readonly exitCode: ExitCode

  constructor(problem: ProblemBody, exitCode: ExitCode) {
    super(problem.detail)
    this.problem = problem
    this.exitCode = exitCode
  }
}
