import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  compareWithModel,
  type StoreHarness,
  storeConformance,
} from '../../../../testkit/src/store-conformance/index.ts'
import { sqliteStore } from './index.ts'

const harness: StoreHarness = {
  name: 'sqlite',
  async create() {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-sqlite-'))
    const store = sqliteStore({ path: join(directory, 'store.db') })
    await store.open()
    return {
      store,
      another: async () => null,
      async dispose() {
        await store.close()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

describe('an SQLite store', () => {
  test.each(storeConformance.filter((promise) => promise.requires !== 'shared'))('$name', async (promise) => {
    const opened = await harness.create()
    try {
      await promise.run(opened)
    } finally {
      await opened.dispose()
    }
  })

  test('answers and holds what the memory store does, step by step', { timeout: 120_000 }, async () => {
    const comparison = await compareWithModel(harness)
    expect(comparison.sequences).toBeGreaterThan(0)
  })
})
