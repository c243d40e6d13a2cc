import { type Command, Option } from 'commander'
import { createLocks, LockstepError } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import type { LockInfo } from 'lockstep/ports'
import { backendForms, backendNamed } from '../locks/compose.ts'
import { print } from './output.ts'
import { ageOf, textTable } from './text-table.ts'

interface LockOptions {
  readonly backend: string
  readonly json: boolean
}

interface ReleaseOptions extends LockOptions {
  readonly reason: string
  readonly token: bigint
}

export function addLockCommands(program: Command): void {
  const locks = program.command('locks').description('who holds which lock, on the backend itself')
  addList(locks)
  addShow(locks)
  addRelease(locks)
}

function addList(locks: Command): void {
  onBackend(locks.command('list'))
    .description('lists what is held, at most 1,000')
    .addHelpText('after', '\nExample:\n  $ lockstep locks list --backend redis://127.0.0.1:6379')
    .action((options: LockOptions) =>
      withLocks(options, async (opened) => {
        const infos = await opened.inspect()
        print(options, infos.map(bodyOf), infos.length === 0 ? 'Nothing is held.' : infosText(infos))
      }),
    )
}

function addShow(locks: Command): void {
  onBackend(locks.command('show'))
    .description('shows who holds one name, with its fencing token')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  $ lockstep locks show sku-42 --backend etcd://127.0.0.1:2379')
    .action((name: string, options: LockOptions) =>
      withLocks(options, async (opened) => {
        const infos = await opened.inspect(name)
        print(options, infos.map(bodyOf), infos.length === 0 ? `Nobody holds ${name}.` : infosText(infos))
      }),
    )
}

function addRelease(locks: Command): void {
  onBackend(locks.command('release'))
    .description(
      'takes a lock away from whoever holds it; only its fencing token stops that holder. On postgres+advisory all locks of that process go',
    )
    .argument('<name>')
    .requiredOption('--reason <text>', 'why, for the next person')
    .addOption(
      new Option('--token <number>', 'of the hold that is meant, as show tells it')
        .argParser(tokenOf)
        .makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      "\nExample:\n  $ lockstep locks release sku-42 --token 1764100000000000 --reason 'host-7 is gone' --backend redis://127.0.0.1:6379",
    )
    .action((name: string, options: ReleaseOptions) =>
      withLocks(options, async (opened) => {
        if (options.reason.trim() === '')
          throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'A reason must say something.' })
        const [taken] = await opened.evict(name, options.token)
        if (taken === undefined) throw notHeld(name, options.token, await opened.inspect(name))
        const { reason } = options
        const text = `${name} was taken away from ${holderText(taken)}, token ${taken.token}: ${reason}`
        print(options, { ...bodyOf(taken), reason }, text)
      }),
    )
}

async function withLocks(options: LockOptions, work: (locks: Locks) => Promise<void>): Promise<void> {
  const backend = await backendNamed(options.backend)
  const locks = createLocks(backend.open)
  try {
    await work(locks)
  } finally {
    await locks.close()
    await backend.end()
  }
}

function onBackend(command: Command): Command {
  return command
    .addOption(new Option('--backend <url>', backendForms).env('LOCKSTEP_LOCKS').makeOptionMandatory())
    .option('--json', 'prints one JSON value', false)
}

function infosText(infos: readonly LockInfo[]): string {
  const rows = infos.map((info) => [
    info.name,
    info.mode,
    info.token === null ? '' : String(info.token),
    holderText(info),
    info.holder?.label ?? '',
    info.since === null ? '' : ageOf(new Date(info.since).toISOString(), Date.now()),
    info.remainingMs === null ? '' : `${info.remainingMs} ms`,
    info.waiters === null ? '' : String(info.waiters),
  ])
  return textTable(['NAME', 'MODE', 'TOKEN', 'HOLDER', 'LABEL', 'AGE', 'LEFT', 'WAITERS'], rows)
}

function holderText({ holder }: LockInfo): string {
  return holder === null ? 'nobody known' : `${holder.host} ${holder.pid}`
}

/** Tokens are beyond what a JavaScript number holds exactly. */
function bodyOf(info: LockInfo): Record<string, unknown> {
  return { ...info, token: info.token === null ? null : String(info.token) }
}

function tokenOf(text: string): bigint {
  if (/^\d{1,20}$/.test(text)) return BigInt(text)
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `A fencing token is up to 20 digits, but is ${JSON.stringify(text.slice(0, 40))}.`,
    next: '`lockstep locks show` tells the token of each hold.',
  })
}

function notHeld(name: string, token: bigint, infos: readonly LockInfo[]): LockstepError {
  const held = infos.map((info) => `${holderText(info)} with token ${info.token}`).join(', ')
  return new LockstepError('LOCKSTEP_NOT_FOUND', {
    message: `Nobody holds ${name} with token ${token}${held === '' ? '' : `; it is held by ${held}`}.`,
    next: '`lockstep locks show` tells who holds it now.',
  })
}
