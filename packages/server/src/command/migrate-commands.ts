import { type Command, Option } from 'commander'
import { LockstepError } from 'lockstep'
import type { SqlDialect } from 'lockstep/migrations'
import { readStore } from '../serve/settings.ts'
import { storeName } from '../serve/store-name.ts'
import { print } from './output.ts'
import { textTable } from './text-table.ts'

interface StoreOptions {
  readonly store?: string
  readonly config?: string
  readonly json: boolean
}

interface SqlOptions extends StoreOptions {
  readonly dialect?: SqlDialect
  readonly schema?: string
}

/** The migrations bring drivers with them, which no other client command needs. */
const migrations = () => import('lockstep/migrations')

export function addMigrateCommands(program: Command): void {
  const migrate = program
    .command('migrate')
    .description('schema of a store, and of the barrier in a participant database')
  addUp(migrate)
  addStatus(migrate)
  addSql(migrate)
  addBarrier(migrate)
  addFence(migrate)
}

function addUp(migrate: Command): void {
  withStore(migrate.command('up'))
    .description('brings the schema of the store up to date')
    .addHelpText('after', '\nExample:\n  $ lockstep migrate up --store postgres://lockstep@localhost/lockstep')
    .action(async (options: StoreOptions) => {
      const store = storeOf(options)
      const applied = await (await migrations()).migrateUp(store)
      const text = applied.length === 0 ? 'is up to date already' : `applied ${applied.join(', ')}`
      print(options, { store: storeName(store), applied }, `${storeName(store)}: ${text}`)
    })
}

function addStatus(migrate: Command): void {
  withStore(migrate.command('status'))
    .description('shows which steps the store has; changes nothing')
    .addHelpText('after', '\nExample:\n  $ lockstep migrate status --store sqlite:./lockstep.db')
    .action(async (options: StoreOptions) => {
      const store = storeOf(options)
      const steps = await (await migrations()).migrationStatus(store)
      const rows = steps.map(({ name, applied, known }) => [
        name,
        applied ? (known ? 'applied' : 'applied by a newer program') : 'missing',
      ])
      print(options, { store: storeName(store), steps }, textTable(['STEP', 'STATE'], rows))
    })
}

function addSql(migrate: Command): void {
  withStore(migrate.command('sql'))
    .description('prints the whole schema of a new store, for people who apply DDL with their own tools')
    .addOption(dialectOption())
    .option('--schema <name>', 'PostgreSQL schema that holds the tables')
    .addHelpText('after', '\nExample:\n  $ lockstep migrate sql --dialect postgres | psql')
    .action(async (options: SqlOptions) => {
      const { migrationSql, storeTarget } = await migrations()
      const dialect = options.dialect ?? storeTarget(storeOf(options)).dialect
      const sql = migrationSql(dialect, schemaOf(options))
      print(options, { dialect, sql }, sql.trimEnd())
    })
}

function addBarrier(migrate: Command): void {
  migrate
    .command('barrier')
    .description("prints the barrier table, for a participant's own database and migrations")
    .addOption(dialectOption().makeOptionMandatory())
    .option('--schema <name>', 'PostgreSQL schema that holds the table')
    .option('--json', 'prints one JSON value', false)
    .addHelpText('after', '\nExample:\n  $ lockstep migrate barrier --dialect postgres | psql')
    .action(async (options: SqlOptions & { readonly dialect: SqlDialect }) => {
      const sql = (await migrations()).barrierSql(options.dialect, schemaOf(options))
      print(options, { dialect: options.dialect, sql }, sql.trimEnd())
    })
}

function addFence(migrate: Command): void {
  migrate
    .command('fence')
    .description('prints the table by which a database refuses older holders of a lock; the same for every dialect')
    .option('--schema <name>', 'PostgreSQL schema that holds the table')
    .option('--json', 'prints one JSON value', false)
    .addHelpText('after', '\nExample:\n  $ lockstep migrate fence | psql')
    .action(async (options: SqlOptions) => {
      const sql = `${(await import('lockstep/fencing')).fenceTableSql(options.schema)};`
      print(options, { sql }, sql)
    })
}

function dialectOption(): Option {
  return new Option('--dialect <dialect>', 'of the database').choices(['postgres', 'sqlite'])
}

function withStore(command: Command): Command {
  return command
    .option('--store <url>', 'store (default LOCKSTEP_STORE, else sqlite:./lockstep.db)')
    .option('--config <file>', 'JSON file with settings')
    .option('--json', 'prints one JSON value', false)
}

function schemaOf({ schema }: SqlOptions): { readonly schema?: string } {
  return schema === undefined ? {} : { schema }
}

function storeOf({ store, config }: StoreOptions): string {
  const url = readStore({ flags: { store, config }, environment: process.env })
  if (url !== 'memory:') return url
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'A store in memory has no schema.',
    next: 'Name an SQLite file or a PostgreSQL URL.',
  })
}
