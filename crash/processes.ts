/** The installation under fire: coordinators and banks as processes of their own, from source, with fail points armed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type RunningPostgres, type ServiceProcess, startServiceProcess } from '@lockstep/testkit'
import { prepareBank } from '../examples/bank/bank-database.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const fromSource = [
  '--conditions=lockstep-source',
  '--conditions=lockstep-test',
  '--disable-warning=ExperimentalWarning',
]
export const accounts = Array.from({ length: 10 }, (_, number) => `account-${number}`)
export const openingBalance = 10_000

export class Victim {
  readonly name: string
  readonly url: string
  readonly #args: readonly string[]
  readonly #directory: string
  readonly #readyPath: string
  #process: ServiceProcess | null = null

  constructor(parts: { name: string; url: string; args: readonly string[]; directory: string; readyPath: string }) {
    this.name = parts.name
    this.url = parts.url
    this.#args = parts.args
    this.#readyPath = parts.readyPath
    this.#directory = join(parts.directory, parts.name)
    mkdirSync(this.#directory, { recursive: true })
  }

  /** An armed process may die before it is ready: that is what it is armed for. */
  async start(failpoints: string | null): Promise<void> {
    const environment = failpoints === null ? {} : { LOCKSTEP_FAILPOINTS: failpoints }
    const args = [...fromSource, ...this.#args]
    const started = startServiceProcess({
      name: this.name,
      command: process.execPath,
      args,
      directory: this.#directory,
      environment,
    })
    this.#process = started
    try {
      await started.ready(() => this.#answers(), 30_000)
    } catch (error) {
      if (failpoints === null || started.isRunning()) throw error
    }
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() ?? false
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#process === null || !this.#process.isRunning()) return
    if (name === 'SIGKILL' || name === 'SIGTERM') await this.#process.kill(name)
    else process.kill(this.#process.pid, name)
  }

  /** True when it died by itself within the time. */
  async diesWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(false), ms)
    void this.#process?.exited.then(() => resolve(true))
    const died = await promise
    clearTimeout(timer)
    return died
  }

  log(): string {
    return this.#process?.log().slice(-3_000) ?? ''
  }

  async #answers(): Promise<boolean> {
    const response = await fetch(this.url + this.#readyPath, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.status < 500
  }
}

export interface Bank extends Victim {
  readonly database: string
}

export interface Installation {
  readonly coordinators: readonly Victim[]
  readonly banks: readonly Victim[]
  readonly databases: readonly string[]
  close(): Promise<void>
}

/** SQLite: one coordinator. PostgreSQL: two on one database. One bank is on PostgreSQL where there is one. */
export async function install(store: 'sqlite' | 'postgres', postgres: RunningPostgres | null): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-crash-'))
  const ports = await freePorts(4)
  const databases = [
    `sqlite:${join(directory, 'bank-a.db')}`,
    postgres === null ? `sqlite:${join(directory, 'bank-b.db')}` : await postgres.createDatabase(),
  ]
  await Promise.all(databases.map((database) => prepareBank(database, accounts, openingBalance)))
  const banks = databases.map((database, at) => makeBank({ directory, database, at, port: ports[at] ?? 0 }))
  const services = Object.fromEntries(banks.map(({ name, url }) => [name, { url, barrier: true }]))
  writeFileSync(join(directory, 'services.json'), JSON.stringify(services))
  const storeUrl =
    store === 'sqlite' ? `sqlite:${join(directory, 'lockstep.db')}` : ((await postgres?.createDatabase()) ?? '')
  const count = store === 'sqlite' ? 1 : 2
  const coordinators = Array.from({ length: count }, (_, at) =>
    makeCoordinator({ directory, at, port: ports[2 + at] ?? 0, storeUrl }),
  )
  const all = [...banks, ...coordinators]
  for (const victim of all) await victim.start(null)
  return {
    coordinators,
    banks,
    databases,
    async close() {
      await Promise.all(all.map((victim) => victim.signal('SIGKILL')))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function makeBank({
  directory,
  database,
  at,
  port,
}: {
  directory: string
  database: string
  at: number
  port: number
}): Victim {
  const name = at === 0 ? 'bank-a' : 'bank-b'
  const args = [join(root, 'examples/bank/main.ts'), '--name', name, '--port', String(port), '--database', database]
  return new Victim({ name, url: `http://127.0.0.1:${port}`, args, directory, readyPath: '/' })
}

function makeCoordinator({
  directory,
  at,
  port,
  storeUrl,
}: {
  directory: string
  at: number
  port: number
  storeUrl: string
}): Victim {
  const serve = [
    'serve',
    '--port',
    String(port),
    '--store',
    storeUrl,
    '--services',
    join(directory, 'services.json'),
    '--init',
  ]
  const args = [join(root, 'packages/server/src/main.ts'), ...serve]
  return new Victim({
    name: `coordinator-${at}`,
    url: `http://127.0.0.1:${port}`,
    args,
    directory,
    readyPath: '/readyz',
  })
}
