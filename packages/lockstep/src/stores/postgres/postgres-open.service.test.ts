import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { runSql } from '../../../../testkit/src/store-conformance/postgres-harness.ts'
import { migrateUp, migrationSql, migrationStatus } from '../migrations/index.ts'
import { postgresStore } from './index.ts'

if (testsWithPostgres())
  describe('opening a PostgreSQL store', () => {
    let server: RunningPostgres

    beforeAll(async () => {
      server = await startPostgres({ private: true, settings: { synchronous_commit: 'local' } })
    })
    afterAll(() => server?.stop())

    const opening = async (url: string) => {
      const store = postgresStore({ url })
      try {
        return await store.open()
      } finally {
        await store.close()
      }
    }

    test('a database without the schema, or with a newer one, is refused', async () => {
      const url = await server.createDatabase()
      await expect(opening(url)).rejects.toMatchObject({ code: 'LOCKSTEP_SCHEMA_MISMATCH', outcome: 'not-applied' })
      expect(await migrateUp(url)).toEqual(['001-initial'])
      const { id } = await opening(url)
      expect(id).toMatch(/^[0-9a-f]{8}$/)
      await runSql(url, "insert into lockstep_migration values ('999-later', '2999-01-01T00:00:00.000Z')")
      await expect(opening(url)).rejects.toMatchObject({ code: 'LOCKSTEP_SCHEMA_MISMATCH' })
      await expect(migrateUp(url)).rejects.toMatchObject({ code: 'LOCKSTEP_SCHEMA_MISMATCH' })
      expect(await migrationStatus(url)).toEqual([
        { name: '001-initial', applied: true, known: true },
        { name: '999-later', applied: true, known: false },
      ])
    })

    test('several processes may migrate at once', async () => {
      const url = await server.createDatabase()
      const applied = await Promise.all(Array.from({ length: 4 }, () => migrateUp({ url, schema: 'lockstep' })))
      expect(applied.flat()).toEqual(['001-initial'])
    })

    test('SQL applied by hand leaves nothing to migrate', async () => {
      const url = await server.createDatabase()
      await runSql(url, migrationSql('postgres'))
      expect(await migrateUp(url)).toEqual([])
      expect((await opening(url)).id).toMatch(/^[0-9a-f]{8}$/)
    })

    test('it warns where the server answers before a commit is durable', async () => {
      const url = await server.createDatabase()
      await migrateUp(url)
      expect((await opening(url)).warnings).toEqual([expect.stringContaining('synchronous_commit is local')])
      const name = new URL(url).pathname.slice(1)
      await runSql(url, `alter database ${name} set synchronous_commit to 'on'`)
      expect((await opening(url)).warnings).toBeUndefined()
    })

    test('a wrong database is a mistake of the configuration, and names no password', async () => {
      const url = new URL(server.url)
      url.password = 'secret'
      url.pathname = '/absent'
      const error = await opening(url.href).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
      expect(String(error)).not.toContain('secret')
    })
  })
