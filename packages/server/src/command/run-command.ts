import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addClientCommands } from './client-commands.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { addLockCommands } from './lock-commands.ts'
import { addMigrateCommands } from './migrate-commands.ts'
import { printFailure } from './output.ts'
import { addServeCommand } from './serve-command.ts'

/** Runs one command line and answers its exit code. */
export async function runCommand(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok
  const program = createProgram((ended) => {
    code = ended
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    // Help and version end this way too, with code 0; everything else that the parser ends is usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    return printFailure({ json: args.includes('--json') }, error)
  }
}

function createProgram(ended: (code: ExitCode) => void): Command {
  const program = new Command('lockstep')
    .description('Distributed transactions that survive kill -9: the coordinator and its commands.')
    .version(versionOf(), '--version')
    .helpCommand('help [command]')
    .addHelpText(
      'after',
      '\nExample:\n  $ lockstep serve --store sqlite:./lockstep.db\n\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 unreachable.',
    )
  addServeCommand(program, ended)
  addClientCommands(program)
  addMigrateCommands(program)
  addLockCommands(program)
  endByThrowing(program)
  return program
}

/** Sub-commands made before do not inherit these. */
function endByThrowing(command: Command): void {
  command.exitOverride().showHelpAfterError().allowExcessArguments(false)
  for (const each of command.commands) endByThrowing(each)
}

function versionOf(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
