import { runCommand } from './command/run-command.ts'

// The code, not process.exit: what was written to a pipe must get there.
process.exitCode = await runCommand(process.argv.slice(2))
