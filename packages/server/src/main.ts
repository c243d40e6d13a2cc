import { runCommand } from './command/run-command.ts'

// Who reads our output may have seen enough, as `| head` does; that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

// The code, not process.exit: what was written to a pipe must get there.
process.exitCode = await runCommand(process.argv.slice(2))
