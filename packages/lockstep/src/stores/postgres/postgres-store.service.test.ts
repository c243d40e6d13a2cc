import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { compareWithModel, storeConformance } from '../../../../testkit/src/store-conformance/index.ts'
import { postgresHarness } from '../../../../testkit/src/store-conformance/postgres-harness.ts'

if (testsWithPostgres())
  describe('a PostgreSQL store', () => {
    let server: RunningPostgres
    let harness: Awaited<ReturnType<typeof postgresHarness>>

    beforeAll(async () => {
      server = await startPostgres()
      harness = await postgresHarness(server)
    })
    afterAll(() => server?.stop())

    test.each(storeConformance)('$name', async (promise) => {
      const opened = await harness.create()
      try {
        await promise.run(opened)
      } finally {
        await opened.dispose()
      }
    })

    test('answers and holds what the memory store does, step by step', { timeout: 180_000 }, async () => {
      const comparison = await compareWithModel(harness)
      expect(comparison.sequences).toBeGreaterThan(0)
    })
  })
