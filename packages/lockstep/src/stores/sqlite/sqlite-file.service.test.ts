import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startWriter } from '../../../../testkit/src/store-conformance/killed-writer.ts'
import { insert, kindsOf, writerOf } from '../../../../testkit/src/store-conformance/sample-rows.ts'
import type { TransactionStore } from '../../ports/index.ts'
import { migrateUp, migrationSql, migrationStatus } from '../migrations/index.ts'
import { openOwnedFile } from '../migrations/sqlite-file.ts'
import { type SqliteStoreOptions, sqliteStore } from './index.ts'

let directory = ''
let path = ''
let stores: TransactionStore[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-sqlite-'))
  path = join(directory, 'store.db')
})
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  stores = []
  rmSync(directory, { recursive: true, force: true })
})

function storeAt(options: SqliteStoreOptions): TransactionStore {
  const store = sqliteStore(options)
  stores.push(store)
  return store
}

async function opened(options: Partial<SqliteStoreOptions> = {}): Promise<TransactionStore> {
  const store = storeAt({ path, ...options })
  await store.open()
  return store
}

test('a process killed with SIGKILL loses nothing that was acknowledged, and its work is free at once', async () => {
  const writer = await startWriter(path, 30)
  await expect(storeAt({ path }).open()).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_LOCKED' })
  const batches = await writer.kill()
  const store = await opened()
  const ids = Array.from({ length: batches }, (_, batch) => [`killed-${batch}-a`, `killed-${batch}-b`]).flat()
  expect((await store.read(ids)).map((row) => row.id)).toEqual(ids)
  const request = { owner: 'next', limit: 10_000, services: ['bank'], missingAfterMs: 60_000 }
  const claimed = await store.claim(request)
  expect(claimed.length).toBeGreaterThanOrEqual(ids.length)
  expect(claimed.every(({ takeover, row }) => takeover && row.epoch === 2)).toBe(true)
})

test('a file that one store has open is refused to a second, and free after the first is closed', async () => {
  const first = await opened()
  const second = storeAt({ path })
  await expect(second.open()).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_LOCKED', outcome: 'not-applied' })
  await expect(migrateUp(`sqlite:${path}`)).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_LOCKED' })
  expect(await migrationStatus(`sqlite:${path}`)).toEqual([{ name: '001-initial', applied: true, known: true }])
  const { id } = await first.open()
  await first.close()
  expect((await second.open()).id).toBe(id)
})

test('a full disk stops the store for good, and nothing acknowledged is lost', async () => {
  const store = await opened({ maxPageCount: 200 })
  const writer = writerOf(store)
  const acknowledged: string[] = []
  let failure: unknown
  for (let number = 0; number < 1000 && failure === undefined; number++) {
    const id = `row-${number}`
    try {
      await writer.commit(insert(id, { state: 'x'.repeat(5000) }))
      acknowledged.push(id)
    } catch (error) {
      failure = error
    }
  }
  expect(failure).toMatchObject({ code: 'LOCKSTEP_STORE_FAILED', outcome: 'unknown', retriable: false })
  await expect(writer.commit(insert('small'))).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_FAILED' })
  await expect(store.read(['row-0'])).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_FAILED' })
  await store.close()
  const again = await opened()
  expect((await again.read(acknowledged)).map((row) => row.id)).toEqual(acknowledged)
  expect(acknowledged.length).toBeGreaterThan(10)
})

test('a broken page stops the store', async () => {
  const store = await opened()
  for (let round = 0; round < 20; round++) {
    const rows = Array.from({ length: 20 }, (_, index) => insert(`row-${round}-${index}`, { state: 'x'.repeat(900) }))
    await store.commit(rows, { instance: 'a', number: round, repeat: false })
  }
  await store.close()
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.fill(0x5a, 4096 * 2))
  const broken = storeAt({ path })
  const failure = await broken
    .open()
    .then(
      () => broken.read(['row-1-1']),
      (error: unknown) => Promise.reject(error),
    )
    .catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: expect.stringMatching(/LOCKSTEP_(STORE_FAILED|CONFIGURATION)/) })
})

test('a commit waits for the disk: WAL with a full sync', () => {
  const file = openOwnedFile(path)
  try {
    const settings = ['journal_mode', 'synchronous'].map((name) => file.database.prepare(`pragma ${name}`).get())
    expect(settings).toEqual([{ journal_mode: 'wal' }, { synchronous: 2 }])
  } finally {
    file.close()
  }
})

test.each([
  ['removed', () => rmSync(path)],
  [
    'replaced',
    () => {
      renameSync(path, `${path}.old`)
      writeFileSync(path, '')
    },
  ],
])('a file that is %s under the store stops it: nothing more is answered', async (_, lose) => {
  const store = await opened()
  await writerOf(store).commit(insert('order-1'))
  lose()
  await expect(writerOf(store).commit(insert('order-2'))).rejects.toMatchObject({ code: 'LOCKSTEP_STORE_FAILED' })
  const beat = store.heartbeat({ owner: 'me', leaseMs: 4000, services: [] })
  await expect(beat).rejects.toMatchObject({
    code: 'LOCKSTEP_STORE_FAILED',
    message: expect.stringContaining('removed or replaced'),
  })
})

test('an idle store writes nothing', async () => {
  const store = await opened()
  await writerOf(store).commit(insert('order-1', { owner: 'me' }))
  const sizes = (): number[] => [path, `${path}-wal`].flatMap((file) => [statSync(file).size, statSync(file).mtimeMs])
  const before = sizes()
  for (let round = 0; round < 5; round++) {
    await store.heartbeat({ owner: 'me', leaseMs: 4000, services: ['bank'] })
    await store.claim({ owner: 'me', limit: 100, services: ['bank'], missingAfterMs: 60_000 })
    await store.retire({ endedBefore: Date.now(), forgetBefore: 0, limit: 1000 })
  }
  expect(sizes()).toEqual(before)
})

test('a file with another schema version is refused', async () => {
  await (await opened()).close()
  const database = new DatabaseSync(path)
  database.exec("insert into lockstep_migration values ('999-later', '2999-01-01T00:00:00.000Z')")
  database.close()
  await expect(storeAt({ path }).open()).rejects.toMatchObject({ code: 'LOCKSTEP_SCHEMA_MISMATCH' })
  await expect(migrateUp(`sqlite:${path}`)).rejects.toMatchObject({ code: 'LOCKSTEP_SCHEMA_MISMATCH' })
})

test('SQL applied by hand makes the same store', async () => {
  const database = new DatabaseSync(path)
  database.exec(migrationSql('sqlite'))
  database.close()
  expect(await migrateUp(`sqlite:${path}`)).toEqual([])
  expect(kindsOf(await writerOf(await opened()).commit(insert('order-1')))).toEqual(['applied'])
})

test('what cannot be a store file is refused with the way to mend it', async () => {
  writeFileSync(path, 'this is not a database, but a text that is long enough to have a header of its own'.repeat(20))
  mkdirSync(join(directory, 'folder'))
  const refusals: readonly [string, RegExp][] = [
    [path, /is not an SQLite database/],
    [join(directory, 'absent', 'store.db'), /directory .* does not exist/],
    [join(directory, 'folder'), /is a directory/],
  ]
  for (const [place, message] of refusals) {
    const error = await storeAt({ path: place })
      .open()
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION', message: expect.stringMatching(message) })
  }
  expect(() => sqliteStore({ path: ':memory:' })).toThrow(/needs a file/)
})

// Root reads and writes whatever it likes.
if (process.getuid?.() !== 0)
  test('a file that this user may not write is refused', async () => {
    await (await opened()).close()
    chmodSync(path, 0o400)
    await expect(storeAt({ path }).open()).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
  })

test('an open store neither warns nor keeps its process alive', () => {
  const source = fileURLToPath(new URL('./index.ts', import.meta.url))
  const program = `import { sqliteStore } from ${JSON.stringify(source)}
    await sqliteStore({ path: ${JSON.stringify(path)} }).open()`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, '--'], {
    encoding: 'utf8',
    stdio: 'pipe',
    timeout: 20_000,
  })
  expect(output).toBe('')
})
