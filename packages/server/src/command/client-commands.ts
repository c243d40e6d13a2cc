import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { LockstepError, type TransactionBody, type TransactionListBody } from 'lockstep'
import { type ActionName, actionNames, branchActionNames, isTransactionId, patterns, statuses } from 'lockstep/protocol'
import { apiClient } from './api-client.ts'
import { print } from './output.ts'
import { lineText, listText, transactionText } from './transaction-text.ts'

const urlDefault = 'http://127.0.0.1:4600'

interface ClientOptions {
  readonly url: string
  readonly json: boolean
}

type ListOptions = ClientOptions & { readonly label: readonly string[] } & Readonly<
    Record<string, string | boolean | readonly string[]>
  >

const filters = ['status', 'pattern', 'held', 'since', 'until', 'limit', 'cursor'] as const

const actions = {
  retry: 'one attempt now; lets a held transaction go',
  hold: 'no new attempt until it is resumed',
  resume: 'lets a held transaction go on',
  skip: 'gives up one step of a held transaction',
  'force-commit': 'skips what is left and commits',
  'force-rollback': 'rolls back, or skips what is left of a rollback',
} as const satisfies Readonly<Record<ActionName, string>>

export function addClientCommands(program: Command): void {
  addList(program)
  addShow(program)
  for (const name of actionNames) addAction(program, name, actions[name])
}

function addList(program: Command): void {
  asClient(program.command('list'))
    .description('lists transactions, newest first')
    .option('--status <status>', statuses.join(', '))
    .option('--pattern <pattern>', `${patterns.join(', ')} (rolled back before it was begun)`)
    .addOption(new Option('--held [true|false]', 'only held ones; with false, none of them').preset('true'))
    .option('--label <key=value>', 'only with this label; may be repeated', label, [])
    .option('--since <time>', 'begun at or after, such as 2026-01-31T12:00:00Z')
    .option('--until <time>', 'begun before')
    .option('--limit <number>', 'at most 500 (default 50)')
    .option('--cursor <cursor>', 'what the page before ended with')
    .addHelpText('after', '\nExample:\n  $ lockstep list --held --label order=42')
    .action(async (options: ListOptions) => {
      const query = new URLSearchParams(options.label.map((one) => splitLabel(one)))
      for (const name of filters) if (typeof options[name] === 'string') query.set(name, options[name])
      const body = (await clientOf(options).get(`v1/transactions?${query}`)) as TransactionListBody
      print(options, body, listText(body, Date.now()))
    })
}

function addShow(program: Command): void {
  asClient(program.command('show'))
    .description('shows one transaction with its branches and attempts')
    .argument('<id>')
    .addHelpText('after', '\nExample:\n  $ lockstep show order-42')
    .action(async (id: string, options: ClientOptions) => {
      const body = (await clientOf(options).get(pathOf(id))) as TransactionBody
      print(options, body, transactionText(body, Date.now()))
    })
}

type ActionOptions = ClientOptions & { readonly reason: string; readonly branch?: string }

function addAction(program: Command, name: ActionName, help: string): void {
  const takesBranch = branchActionNames.includes(name)
  const command = asClient(program.command(name))
    .description(help)
    .argument('<id>')
    .requiredOption('--reason <text>', 'why, for the next person who reads the audit')
  if (takesBranch) command.addOption(new Option('--branch <name>', 'the step').makeOptionMandatory(name === 'skip'))
  const example = `lockstep ${name} order-42 ${takesBranch ? '--branch credit ' : ''}--reason 'bank-b is up again'`
  command.addHelpText('after', `\nExample:\n  $ ${example}`).action(async (id: string, options: ActionOptions) => {
    const { reason, branch } = options
    const request = { action: name, reason, ...(branch === undefined ? {} : { branch }) }
    const body = (await clientOf(options).post(`${pathOf(id)}/actions`, request)) as TransactionBody
    print(options, body, lineText(body))
  })
}

function asClient(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'the coordinator').env('LOCKSTEP_URL').default(urlDefault))
    .option('--json', 'prints one JSON value', false)
}

function clientOf({ url }: ClientOptions) {
  return apiClient(url, process.env['LOCKSTEP_KEY'])
}

/** Checked before it becomes a path: `..` would ask for something else. */
function pathOf(id: string): string {
  if (isTransactionId(id)) return `v1/transactions/${id}`
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: 'A transaction id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ - and neither "." nor "..".',
    next: 'Check the id.',
  })
}

function label(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('It must be key=value.')
  return [...before, text]
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf('=')
  return [`label.${text.slice(0, at)}`, text.slice(at + 1)]
}
