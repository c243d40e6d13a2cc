/** Each known bug of the barrier shows in the way its name says; otherwise the simulator would hunt for nothing. */
import { afterEach, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../src/adapters/memory-database.ts'
import { nodeEnvironment } from '../src/environment/node.ts'
import { checkBack } from '../src/participant/check-back.ts'
import { localBranch } from '../src/participant/local-branch.ts'
import { participant } from '../src/participant/participant.ts'
import type { Operation, Outcome } from '../src/ports/index.ts'
import { silentLogger, verdictOf } from '../src/ports/index.ts'
import { armMutant } from '../src/testing/mutant.armed.ts'
import { call, surroundings } from './barrier-call.ts'

/** The tombstone was there first. */
const isClosed = (error: unknown) => {
  const verdict = verdictOf(error)
  return verdict?.kind === 'refused' && JSON.stringify(verdict.reason) === '{"code":"closed"}'
}

afterEach(() => armMutant(null))

const day = 86_400_000

async function story(name: string | null, steps: readonly Operation[], begunAt = Date.now()): Promise<string> {
  armMutant(name)
  const db = memoryDatabase()
  const ran: string[] = []
  const note = (operation: string) => () => void ran.push(operation)
  const one = participant('bank-a.one', {
    input: z.null(),
    action: (_input, branch) => branch.transact(db, note('action')),
    compensate: (_input, branch) => branch.transact(db, note('compensate')),
  })
  const call = { store: '1f2e3d4c', transaction: 't', branch: 'b', attempt: 1, begunAt, traceparent: null }
  const surroundings = {
    ...nodeEnvironment,
    databases: [memoryBarrier()],
    logger: silentLogger,
    barrierRetentionMs: 30 * day,
  }
  let last: Outcome | undefined
  for (const operation of steps) last = await one.run(operation, null, call, surroundings)
  return `${last?.kind}, ran ${ran.join(' ')}`
}

it.each<[string, Operation[], string, string, number?]>([
  ['M01-no-barrier-row', ['action', 'action'], 'done, ran action', 'done, ran action action'],
  ['M02-no-tombstone', ['compensate', 'action'], 'refused, ran ', 'done, ran action'],
  [
    'L3-forward-after-reverse-done',
    ['action', 'compensate', 'action'],
    'refused, ran action compensate',
    'done, ran action compensate',
  ],
  ['L10-old-compensation-done', ['compensate'], 'unknown, ran ', 'done, ran ', Date.now() - 31 * day],
])('%s', async (name, steps, right, wrong, begunAt) => {
  expect(await story(null, steps, begunAt)).toBe(right)
  expect(await story(name, steps, begunAt)).toBe(wrong)
})

it.each([
  [null, 'closed', 2],
  ['M08-check-without-tombstone', 'committed', 1],
] as const)('a local transaction after a check that answered rollback, with %s: %s', async (name, late, rows) => {
  armMutant(name)
  const db = memoryDatabase()
  const check = checkBack('orders', { pool: db })
  const asked = () => call(check, 'check', null, { branch: '_local' })
  expect(await asked()).toEqual({ kind: 'done', output: { decision: 'rollback' } })
  const facts = { store: '1f2e3d4c', transaction: 't1', begunAt: Date.now(), traceparent: null, input: null }
  const { branch } = localBranch({ ...facts, surroundings: surroundings() })
  const ended = await branch.transact(db, () => 'committed').catch((error) => (isClosed(error) ? 'closed' : error))
  expect([ended, db.read('lockstep_barrier').size]).toEqual([late, rows])
  // What it does find it still tells, so only the missing tombstone is what a suite can see.
  if (late === 'committed') expect(await asked()).toEqual({ kind: 'done', output: { decision: 'commit' } })
})
