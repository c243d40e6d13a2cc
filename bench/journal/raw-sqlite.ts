/**
 * SQLite as fast as it goes in batches: one transaction per batch, one prepared statement, nothing compared and nothing
 * answered. In the main thread, which has nothing else to do here.
 */
import { DatabaseSync } from 'node:sqlite'
import type { Advance, Insert } from './sample-entries.ts'

type Value = string | number | null

/** Each writes one batch as one durable commit. */
export interface PlainStore {
  insert(batch: readonly Insert[]): Promise<void> | void
  end(batch: readonly Advance[]): Promise<void> | void
  close(): Promise<void> | void
}

export interface RawStore extends PlainStore {
  /** Any progress of a transaction, whose work may have grown. */
  advance(batch: readonly Advance[]): Promise<void> | void
}

/** The same columns and indexes as the store's own table. */
export function rawSqlite(path: string): RawStore {
  const database = open(path)
  const columns = `id, pattern, content_hash, definition, needs, created_at, status, state, updated_at, next_at, owner,
    age_from, owner_mark_instance, owner_mark_number, epoch, version, expired`
  const insert = database.prepare(
    `insert into lockstep_transactions (${columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1, 0)`,
  )
  const end = database.prepare(
    `update lockstep_transactions set status = ?, state = ?, updated_at = ?, ended_at = ?, next_at = null, owner = null,
     owner_mark_number = ?, version = version + 1 where id = ?`,
  )
  const advance = database.prepare(
    `update lockstep_transactions set definition = coalesce(?, definition), needs = coalesce(?, needs), status = ?, state = ?,
     updated_at = ?, ended_at = ?, next_at = ?, owner = ?, owner_mark_number = ?, version = version + 1 where id = ?`,
  )
  return {
    insert: (batch) => inOneCommit(database, batch, (entry) => insert.run(...insertValues(entry))),
    end: (batch) => inOneCommit(database, batch, (entry) => end.run(...endValues(entry))),
    advance: (batch) => inOneCommit(database, batch, (entry) => advance.run(...advanceValues(entry))),
    close: () => database.close(),
  }
}

/** The plainest table that holds as many bytes: a key and a text. What our columns and indexes cost shows against it. */
export function plainSqlite(path: string): PlainStore {
  const database = open(path)
  database.exec('create table plain (id text not null primary key, body text not null) strict')
  const insert = database.prepare('insert into plain values (?, ?)')
  const end = database.prepare('update plain set body = ? where id = ?')
  return {
    insert: (batch) => inOneCommit(database, batch, ({ row }) => insert.run(row.id, row.definition + row.state)),
    end: (batch) => inOneCommit(database, batch, ({ id, progress }) => end.run(progress.state, id)),
    close: () => database.close(),
  }
}

/** The settings of the store. */
function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  return database
}

function inOneCommit<T>(database: DatabaseSync, batch: readonly T[], write: (entry: T) => unknown): void {
  database.exec('begin immediate')
  for (const entry of batch) write(entry)
  database.exec('commit')
}

function insertValues({ row }: Insert): Value[] {
  const { id, pattern, contentHash, definition, createdAt, status, state, updatedAt, nextAt, owner, ageFrom } = row
  const begun = [id, pattern, contentHash, definition, JSON.stringify(row.needs), createdAt]
  return [...begun, status, state, updatedAt, nextAt, owner, ageFrom, 'bench', 1]
}

function endValues({ id, progress }: Advance): Value[] {
  const { status, state, updatedAt, endedAt } = progress
  return [status, state, updatedAt, endedAt, 2, id]
}

function advanceValues({ id, progress, work }: Advance): Value[] {
  const { status, state, updatedAt, endedAt, nextAt, owner } = progress
  const changed = [work?.definition ?? null, work?.needs === undefined ? null : JSON.stringify(work.needs)]
  return [...changed, status, state, updatedAt, endedAt, nextAt, owner, 2, id]
}
