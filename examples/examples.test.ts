import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@lockstep/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const fromSource = ['--conditions=lockstep-source', '--disable-warning=ExperimentalWarning']
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-example-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

function transfer(): string {
  const args = [...fromSource, join(root, 'examples/01-transfer/transfer.ts'), directory]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

it('01-transfer pays once, answers a repeat alike, and takes back what was refused', () => {
  const first = transfer()
  expect(first).toContain("status: 'committed'")
  expect(first).toContain("code: 'no-such-account'")
  expect(first).toContain('ann has 70, bob has 130')
})

it('01-transfer run again does nothing a second time', () => {
  transfer()
  expect(transfer()).toContain('ann has 70, bob has 130')
})

it('02-any-language: participants in plain Python, driven by curl', async ({ skip }) => {
  for (const tool of ['python3', 'curl']) {
    if (spawnSync(tool, ['--version']).status !== 0) skip(`${tool} is not installed`)
  }
  const [port = 0] = await freePorts(1)
  const environment = { ...process.env, PORT: String(port) }
  const ran = spawnSync('bash', [join(root, 'examples/02-any-language/run.sh')], {
    encoding: 'utf8',
    env: environment,
    timeout: 30_000,
  })
  expect(ran.status).toBe(0)
  const answers = ran.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  expect(answers.map(({ status }) => status)).toEqual(['committed', 'committed', 'rolled-back'])
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2].reason).toEqual({ branch: 'stock', body: { code: 'out-of-stock' } })
  expect(ran.stdout).toContain('stock.db 6\nreserve.db 6')
})
