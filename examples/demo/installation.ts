/** The demo's processes: one coordinator and two banks, each started, killed and started again by hand. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  freePorts,
  type RunningPostgres,
  type ServiceProcess,
  startPostgres,
  startServiceProcess,
} from '@lockstep/testkit'
import { prepareBank } from '../bank/bank-database.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const accounts = Array.from({ length: 10 }, (_, number) => `account-${number}`)
export const openingBalance = 1_000

export interface Part {
  readonly name: string
  start(): Promise<void>
  /** `kill -9`: no handler runs, nothing is flushed. */
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface BankPart extends Part {
  readonly url: string
  readonly database: string
}

export interface Installation {
  readonly url: string
  readonly directory: string
  readonly coordinator: Part
  readonly banks: readonly BankPart[]
  close(): Promise<void>
}

export async function install(options: { readonly postgres: boolean }): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-demo-'))
  // Also when a signal ends the demo: nothing of it stays behind.
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const [port = 0, ...bankPorts] = await freePorts(3)
  const postgres = options.postgres ? await startPostgres() : null
  const names = ['bank-a', 'bank-b']
  const services = Object.fromEntries(
    names.map((name, at) => [name, { url: `http://127.0.0.1:${bankPorts[at]}`, barrier: true }]),
  )
  const servicesFile = join(directory, 'services.json')
  writeFileSync(servicesFile, JSON.stringify(services))
  const store = `sqlite:${join(directory, 'lockstep.db')}`
  const url = `http://127.0.0.1:${port}`
  const serve = [
    'packages/server/bin/lockstep.js',
    'serve',
    '--port',
    String(port),
    '--store',
    store,
    '--services',
    servicesFile,
  ]
  const coordinator = part({ name: 'lockstep', args: serve, directory, isReady: () => answers(`${url}/readyz`) })
  const banks = await Promise.all(
    names.map((name, at) =>
      makeBank({
        name,
        url: `http://127.0.0.1:${bankPorts[at]}`,
        others: ['--coordinator', url, '--services', servicesFile],
        directory,
        postgres: at === 1 ? postgres : null,
      }),
    ),
  )
  return { url, directory, coordinator, banks, close: () => close([coordinator, ...banks], postgres) }
}

interface BankSettings {
  readonly name: string
  readonly url: string
  /** Where it finds the coordinator and the other bank. */
  readonly others: readonly string[]
  readonly directory: string
  readonly postgres: RunningPostgres | null
}

async function makeBank({ name, url, others, directory, postgres }: BankSettings): Promise<BankPart> {
  const database = postgres === null ? `sqlite:${join(directory, `${name}.db`)}` : await postgres.createDatabase()
  await prepareBank(database, accounts, openingBalance)
  const own = ['--name', name, '--port', new URL(url).port, '--database', database]
  const args = ['examples/bank/main.ts', ...own, ...others]
  return { ...part({ name, args, directory, isReady: () => answers(`${url}/`) }), url, database }
}

interface PartSettings {
  readonly name: string
  readonly args: readonly string[]
  readonly directory: string
  readonly isReady: () => Promise<boolean>
}

function part({ name, args, directory, isReady }: PartSettings): Part {
  let running: ServiceProcess | null = null
  const own = join(directory, name)
  mkdirSync(own, { recursive: true })
  const [program = '', ...rest] = args
  return {
    name,
    async start() {
      const node = ['--disable-warning=ExperimentalWarning', join(root, program), ...rest]
      running = startServiceProcess({ name, command: process.execPath, args: node, directory: own })
      await running.ready(isReady, 20_000)
    },
    async kill() {
      await running?.kill('SIGKILL')
    },
    async stop() {
      await running?.kill('SIGTERM')
    },
  }
}

/** Any answer will do: a bank says 404 to a GET, and that is an answer. */
async function answers(url: string): Promise<boolean> {
  const response = await fetch(url)
  await response.body?.cancel()
  return response.status < 500
}

async function close(parts: readonly Part[], postgres: RunningPostgres | null): Promise<void> {
  await Promise.all(parts.map((one) => one.stop()))
  await postgres?.stop()
}
