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

function run(script: string, ...more: string[]): string {
  const args = [...fromSource, join(root, 'examples', script), ...more]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

const transfer = () => run('01-transfer/transfer.ts', directory)

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

it('03-tcc-booking: one booked, one refused, one whose agency is killed with everything held', {
  timeout: 60_000,
}, () => {
  const said = run('03-tcc-booking/booking.ts')
  expect(said).toContain('trip-1: committed')
  expect(said).toContain('trip-2: not booked. trip.payment refused')
  expect(said).toContain('trip-3: its agency ended by SIGKILL, with everything held')
  expect(said).toContain('trip-3: rolled-back, because of {"code":"deadline"}')
  expect(said.trimEnd().split('\n').at(-1)).toContain('flight 1/0/1, hotel 1/0/1, payment 600/0/400')
})

it('05-order-paid-message: the check-back decides what a killed producer could not tell', { timeout: 60_000 }, () => {
  const said = run('05-order-paid-message/paid.ts')
  expect(said).toContain('order 1: message committed, decided by its producer')
  expect(said).toMatch(
    /order 2: the orders service ended by SIGKILL \(after-commit\)\norder 2: message committed, decided by check-back/,
  )
  expect(said).toMatch(
    /order 3: the orders service ended by SIGKILL \(before-commit\)\norder 3: message rolled-back, decided by/,
  )
  expect(said).toContain('orders 1 and 2 are paid; ann has 20 points')
})

it('09-locks: one body in memory', () => {
  expect(run('09-locks/locks.ts')).toMatch(/memory +30 of 30 seats sold once each/)
})
