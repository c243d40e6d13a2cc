/** PostgreSQL as fast as one connection goes in batches: one statement over arrays per batch, nothing compared or answered. */
import pg from 'pg'
import type { PlainStore, RawStore } from './raw-sqlite.ts'
import type { Advance, Insert } from './sample-entries.ts'

const insertSql = `insert into lockstep_transactions (id, pattern, content_hash, definition, needs, created_at, status, state,
  updated_at, next_at, owner, age_from, owner_mark_instance, owner_mark_number, epoch, version, expired)
select id, pattern, content_hash, definition, needs::text[], created_at, status, state, updated_at, next_at, owner, age_from,
  'bench', 1, 1, 1, false
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bigint[],
  $10::bigint[], $11::text[], $12::bigint[])
  as given(id, pattern, content_hash, definition, needs, created_at, status, state, updated_at, next_at, owner, age_from)`

const endSql = `update lockstep_transactions t set status = given.status, state = given.state, updated_at = given.updated_at,
  ended_at = given.ended_at, next_at = null, owner = null, owner_mark_number = 2, version = t.version + 1
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) as given(id, status, state, updated_at, ended_at)
where t.id = given.id`

const advanceSql = `update lockstep_transactions t set definition = coalesce(given.definition, t.definition),
  needs = coalesce(given.needs::text[], t.needs), status = given.status, state = given.state, updated_at = given.updated_at,
  ended_at = given.ended_at, next_at = given.next_at, owner = given.owner, owner_mark_number = 2, version = t.version + 1
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[])
  as given(id, definition, needs, status, state, updated_at, ended_at, next_at, owner)
where t.id = given.id`

/** A batch finds its rows by their key; a plan made while the table was small must not scan it later. */
const planSettings = `set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
set enable_mergejoin = off; set jit = off`

/** The same columns and indexes as the store's own table. */
export async function rawPostgres(url: string): Promise<RawStore> {
  const client = await connected(url)
  await client.query(planSettings)
  return {
    insert: (batch) => write(client, 'raw_insert', insertSql, batch.map(insertValues)),
    end: (batch) => write(client, 'raw_end', endSql, batch.map(endValues)),
    advance: (batch) => write(client, 'raw_advance', advanceSql, batch.map(advanceValues)),
    close: () => client.end(),
  }
}

/** The plainest table that holds as many bytes: a key and a text. */
export async function plainPostgres(url: string): Promise<PlainStore> {
  const client = await connected(url)
  await client.query(`${planSettings}; create table plain (id text collate "C" primary key, body text not null)`)
  const insert = 'insert into plain select * from unnest($1::text[], $2::text[])'
  const end =
    'update plain set body = given.body from unnest($1::text[], $2::text[]) as given(id, body) where plain.id = given.id'
  return {
    insert: (batch) =>
      write(
        client,
        'plain_insert',
        insert,
        batch.map(({ row }) => [row.id, row.definition + row.state]),
      ),
    end: (batch) =>
      write(
        client,
        'plain_end',
        end,
        batch.map(({ id, progress }) => [id, progress.state]),
      ),
    close: () => client.end(),
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function write(
  client: pg.Client,
  name: string,
  text: string,
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]))
  await client.query({ name, text, values: columns })
}

function insertValues({ row }: Insert): unknown[] {
  const { id, pattern, contentHash, definition, createdAt, status, state, updatedAt, nextAt, owner, ageFrom } = row
  const begun = [id, pattern, contentHash, definition, `{${row.needs.join(',')}}`, createdAt]
  return [...begun, status, state, updatedAt, nextAt, owner, ageFrom]
}

function endValues({ id, progress }: Advance): unknown[] {
  const { status, state, updatedAt, endedAt } = progress
  return [id, status, state, updatedAt, endedAt]
}

function advanceValues({ id, progress, work }: Advance): unknown[] {
  const { status, state, updatedAt, endedAt, nextAt, owner } = progress
  const changed = [work?.definition ?? null, work?.needs === undefined ? null : `{${work.needs.join(',')}}`]
  return [id, ...changed, status, state, updatedAt, endedAt, nextAt, owner]
}
