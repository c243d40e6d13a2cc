/** Each known bug of the barrier shows in the way its name says; otherwise the simulator would hunt for nothing. */
import { afterEach, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../src/adapters/memory-database.ts'
import { nodeEnvironment } from '../src/environment/node.ts'
import { participant } from '../src/participant/participant.ts'
import type { Operation, Outcome } from '../src/ports/index.ts'
import { silentLogger } from '../src/ports/index.ts'
import { armMutant } from '../src/testing/mutant.armed.ts'

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
