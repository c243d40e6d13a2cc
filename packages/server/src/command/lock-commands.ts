import { hostname, userInfo } from 'node:os'
import { type Command, Option } from 'commander'
import { createLocks, errorTable, isLockstepError, LockstepError } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import type { LockInfo } from 'lockstep/ports'
import { withoutPasswords, withoutSecretsOf } from '../locks/address.ts'
import { backendForms, backendNamed, type NamedBackend } from '../locks/compose.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { failureOf, print, printable } from './output.ts'
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
  // A URL in the wrong place is shown with what is wrong about it.
  locks.configureOutput({ outputError: (text, write) => write(withoutPasswords(text)) })
  addList(locks)
  addShow(locks)
  addRelease(locks)
}

function addList(locks: Command): void {
  onBackend(locks.command('list'))
    .description('lists what is held, at most 1,000')
    .addHelpText('after', '\nExample:\n  $ lockstep locks list --backend redis://127.0.0.1:6379')
    .action((options: LockOptions) =>
      withLocks(options, async (opened, backend) => {
        const infos = await opened.inspect()
        print(options, infos.map(bodyOf), infos.length === 0 ? nothingText(backend) : infosText(infos))
      }),
    )
}

function addShow(locks: Command): void {
  onBackend(locks.command('show'))
    .description('shows who holds one name, with its fencing token')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  $ lockstep locks show sku-42 --backend etcd://127.0.0.1:2379')
    .action((name: string, options: LockOptions) =>
      withLocks(options, async (opened, { where }) => {
        const infos = await opened.inspect(name)
        if (infos.length === 0) throw notFound(`Nobody holds ${name} in ${where}, and nobody waits for it.`)
        print(options, infos.map(bodyOf), infosText(infos))
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
    .action((name: string, options: ReleaseOptions) => {
      if (options.reason.trim() === '')
        throw usage(new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'A reason must say something.' }))
      return withLocks(options, async (opened) => {
        const [taken] = await opened.evict(name, options.token)
        if (taken === undefined) throw notHeld(name, options.token, await opened.inspect(name))
        const record = { takenAt: new Date().toISOString(), takenBy: operator(), reason: options.reason }
        print(options, { ...bodyOf(taken), ...record }, printable(takenText(taken, record)))
      })
    })
}

interface Taking {
  readonly takenAt: string
  readonly takenBy: string
  readonly reason: string
}

/** One line for a log: the backend keeps nothing of it. */
function takenText(taken: LockInfo, { takenAt, takenBy, reason }: Taking): string {
  const { name, token, holder } = taken
  const label = holder === null || holder.label === '' ? '' : ` (${holder.label})`
  return `${takenAt} ${takenBy} took ${name} away from ${holderText(taken)}${label}, token ${token}: ${reason}`
}

function operator(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // Containers have users without a name.
    return `${process.getuid?.() ?? 'unknown'}@${hostname()}`
  }
}

type Work = (locks: Locks, backend: NamedBackend) => Promise<void>

async function withLocks({ backend: url }: LockOptions, work: Work): Promise<void> {
  const { locks, backend } = await opened(url)
  try {
    await backend.assertThere()
    await work(locks, backend)
  } catch (error) {
    throw failure(error, url)
  } finally {
    await locks.close()
    await backend.end()
  }
}

async function opened(url: string): Promise<{ readonly locks: Locks; readonly backend: NamedBackend }> {
  try {
    const backend = await backendNamed(url)
    return { locks: createLocks(backend.open), backend }
  } catch (error) {
    throw usage(error)
  }
}

/** What was typed makes no sense. */
function usage(error: unknown): CommandFailure {
  return new CommandFailure(failureOf(error), exitCodes.usage)
}

/** A configuration error without a cause is about what was typed; with one, it is the server that refuses. */
function failure(error: unknown, url: string): CommandFailure {
  const problem = failureOf(error)
  const isAway = problem.next === errorTable.LOCKSTEP_LOCK_UNAVAILABLE.next
  const next = isAway ? 'Check host and port, and that the server runs and can be reached from here.' : problem.next
  const told = { ...problem, detail: withoutSecretsOf(url, problem.detail), next }
  if (!isLockstepError(error)) return new CommandFailure(told, exitCodes.failed)
  if (error.code !== 'LOCKSTEP_CONFIGURATION') return new CommandFailure(told, exitCodeOf(error.code))
  return new CommandFailure(told, error.cause === undefined ? exitCodes.usage : exitCodes.refused)
}

function onBackend(command: Command): Command {
  return command
    .addOption(new Option('--backend <url>', backendForms).env('LOCKSTEP_LOCKS').makeOptionMandatory())
    .option('--json', 'prints one JSON value', false)
}

function nothingText({ where, knowsItsPlace }: NamedBackend): string {
  return `Nothing is held in ${where}.${knowsItsPlace ? '' : ' Locks with another prefix do not show here.'}`
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
  throw usage(
    new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `A fencing token is up to 20 digits, but is ${JSON.stringify(text.slice(0, 40))}.`,
      next: '`lockstep locks show` tells the token of each hold.',
    }),
  )
}

function notHeld(name: string, token: bigint, infos: readonly LockInfo[]): LockstepError {
  const held = infos.map((info) => `${holderText(info)} with token ${info.token}`).join(', ')
  return notFound(`Nobody holds ${name} with token ${token}${held === '' ? '' : `; it is held by ${held}`}.`)
}

function notFound(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_NOT_FOUND', { message, next: '`lockstep locks list` tells what is held now.' })
}
