import { test } from 'vitest'
import { mkdtempSync } from 'node:fs'
import { startPostgres } from '../../../testkit/src/services/postgres.ts'
import { compareWithModel } from '../../../testkit/src/store-conformance/index.ts'
import { postgresHarness } from '../../../testkit/src/store-conformance/postgres-harness.ts'
import { sqliteStore } from './sqlite/index.ts'
test('long pg', { timeout: 200_000 }, async () => {
  const server = await startPostgres({ fsync: false })
  console.log(await compareWithModel(await postgresHarness(server), { sequences: 150 }))
  await server.stop()
})
test('long sqlite', { timeout: 200_000 }, async () => {
  console.log((await compareWithModel({ name: 's', async create() { const store = sqliteStore({ path: mkdtempSync('/tmp/lockstep-long-') + '/x.db' }); await store.open(); return { store, another: async () => null, dispose: () => store.close() } } }, { sequences: 150 })).sequences)
})
