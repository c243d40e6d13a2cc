/** The installation under fire: coordinators and banks as processes of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type RunningPostgres } from '@lockstep/testkit'
import { prepareBank } from '../examples/bank/bank-database.ts'
import { Victim, type VictimParts } from './victim.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
export const accounts = Array.from({ length: 10 }, (_, number) => `account-${number}`)
export const openingBalance = 10_000
export type Store = 'sqlite' | 'postgres'

export class Bank extends Victim {
  readonly database: string

  constructor(database: string, parts: VictimParts) {
    super(parts)
    this.database = database
  }
}

export interface Installation {
  readonly coordinators: readonly Victim[]
  readonly banks: readonly Bank[]
  close(): Promise<void>
}

/** SQLite: one coordinator. PostgreSQL: two on one database. One bank is on PostgreSQL where there is one. */
export async function install(store: Store, postgres: RunningPostgres | null): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-crash-'))
  const ports = await freePorts(4)
  const [urlA = '', urlB = '', ...coordinatorUrls] = ports.map((port) => `http://127.0.0.1:${port}`)
  const places = { directory, coordinatorUrls: coordinatorUrls.slice(0, store === 'sqlite' ? 1 : 2) }
  writeFileSync(servicesFile(directory), JSON.stringify({ 'bank-a': serviceAt(urlA), 'bank-b': serviceAt(urlB) }))
  const sqlite = (name: string) => `sqlite:${join(directory, `${name}.db`)}`
  const banks = [
    makeBank({ ...places, name: 'bank-a', url: urlA, database: sqlite('bank-a') }),
    makeBank({
      ...places,
      name: 'bank-b',
      url: urlB,
      database: (await postgres?.createDatabase()) ?? sqlite('bank-b'),
    }),
  ]
  await Promise.all(banks.map(({ database }) => prepareBank(database, accounts, openingBalance)))
  const storeUrl = store === 'sqlite' ? sqlite('lockstep') : ((await postgres?.createDatabase()) ?? '')
  const coordinators = places.coordinatorUrls.map((url, at) =>
    makeCoordinator({ directory, name: `coordinator-${at}`, url, storeUrl }),
  )
  const all = [...coordinators, ...banks]
  for (const victim of all) await victim.start(null)
  return {
    coordinators,
    banks,
    async close() {
      await Promise.all(all.map((victim) => victim.signal('SIGKILL')))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function serviceAt(url: string) {
  return { url, barrier: true }
}

function servicesFile(directory: string): string {
  return join(directory, 'services.json')
}

function makeBank({
  name,
  url,
  database,
  directory,
  coordinatorUrls,
}: {
  name: string
  url: string
  database: string
  directory: string
  coordinatorUrls: readonly string[]
}): Bank {
  const own = ['--name', name, '--port', new URL(url).port, '--database', database]
  const others = [...coordinatorUrls.flatMap((one) => ['--coordinator', one]), '--services', servicesFile(directory)]
  const args = [join(root, 'examples/bank/main.ts'), ...own, ...others]
  return new Bank(database, { name, url, args, directory, readyPath: '/' })
}

function makeCoordinator({
  name,
  url,
  directory,
  storeUrl,
}: {
  name: string
  url: string
  directory: string
  storeUrl: string
}): Victim {
  const settings = ['--port', new URL(url).port, '--store', storeUrl, '--services', servicesFile(directory), '--init']
  const args = [join(root, 'packages/server/src/main.ts'), 'serve', ...settings]
  return new Victim({ name, url, args, directory, readyPath: '/readyz' })
}
