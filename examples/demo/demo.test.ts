import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { patterns } from '../bank/transfer.ts'
import { planTransfers } from './transfers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

it.each([
  ['--pattern', 'xa', 'npm start: --pattern must be one of saga, tcc, message, not "xa".'],
  ['--databases', 'oracle', 'npm start: --databases must be one of sqlite, postgres, not "oracle".'],
])('npm start with %s %s starts nothing, says why and ends with 2', (option, value, why) => {
  const fromSource = ['--conditions=lockstep-source', '--disable-warning=ExperimentalWarning']
  const args = [...fromSource, join(root, 'examples/demo/main.ts'), option, value]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })
  expect([status, stdout, stderr.trim()]).toEqual([2, '', why])
})

it.each(patterns)('the transfers by %s have some that either bank refuses, and most that both agree to', (pattern) => {
  const transfers = planTransfers(1_000, pattern)
  expect(new Set(transfers.map(({ id }) => id)).size).toBe(1_000)
  const share = (isSo: (transfer: (typeof transfers)[number]) => boolean) => transfers.filter(isSo).length / 1_000
  expect(share(({ to }) => to === 'nobody')).toBeCloseTo(1 / 7)
  expect(share(({ amount }) => amount > 1_000)).toBeCloseTo(1 / 11)
  expect(share(({ pattern: one }) => one === pattern)).toBe(1)
})
