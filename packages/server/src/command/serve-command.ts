import type { Command } from 'commander'
import { settingKeys, settingNames } from '../serve/setting-table.ts'
import { readSettings, type Settings } from '../serve/settings.ts'
import { CommandFailure } from './command-failure.ts'
import type { ExitCode } from './exit-codes.ts'
import { failureOf } from './output.ts'

type ServeFlags = Readonly<Record<string, unknown>> & { readonly json: boolean }

export function addServeCommand(program: Command, ended: (code: ExitCode) => void): void {
  const command = program.command('serve').description('runs the coordinator')
  for (const key of settingKeys) command.option(settingNames[key].flags, settingNames[key].help)
  command
    .option('--config <file>', 'JSON file with settings; flags and environment win')
    .option('--json', 'says as JSON where it listens', false)
    .addHelpText(
      'after',
      '\nSettings also come from LOCKSTEP_PORT, LOCKSTEP_HOST, LOCKSTEP_STORE or LOCKSTEP_STORE_FILE, and so on.\n\n' +
        'Example:\n  $ lockstep serve --port 4600 --store sqlite:./lockstep.db',
    )
    .action(async (flags: ServeFlags) => {
      const settings = settingsOf(flags)
      // The server, its stores and their drivers are loaded by this command only.
      const { runServer } = await import('../serve/run-server.ts')
      ended(await runServer(settings, { json: flags.json }))
    })
}

/** A setting that is wrong is a usage error (2); a store or port that cannot be had is a failure (1). */
function settingsOf(flags: ServeFlags): Settings {
  try {
    return readSettings({ flags, environment: process.env })
  } catch (error) {
    throw new CommandFailure(failureOf(error), 2)
  }
}
