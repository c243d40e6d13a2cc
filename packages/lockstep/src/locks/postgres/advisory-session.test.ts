import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { VirtualTime } from '../../../test/coordinator/virtual-time.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type Environment, type PgKeptClientHandle, type PgResult, silentLogger } from '../../ports/index.ts'
import { AdvisorySession } from './advisory-session.ts'
import { Notices } from './notices.ts'

function sessionOver(query: PgKeptClientHandle['query'], time: Environment = nodeEnvironment): AdvisorySession {
  const client: PgKeptClientHandle = { query, release() {}, on() {}, removeListener() {} }
  const environment = { ...time, log: silentLogger }
  return new AdvisorySession({ client, environment, notices: new Notices(), ttlMs: 60_000 })
}

test('statements on one connection leave nothing behind', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const session = sessionOver(async () => ({ rows: [], rowCount: 0 }))
  const heapAfter = async (count: number): Promise<number> => {
    for (let at = 0; at < count; at++) await session.run('select 1')
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await heapAfter(2_000)
  expect(((await heapAfter(20_000)) - before) / 2 ** 20).toBeLessThan(2)
  session.end('the test is over')
})

test('its end rejects the statement that is under way, and those behind it', async () => {
  const session = sessionOver(() => new Promise(() => {}))
  const [sent, queued] = [session.run('select 1'), session.run('select 2')]
  await Promise.resolve()
  session.end('cut')
  await expect(sent).rejects.toMatchObject({ wasSent: true })
  await expect(queued).rejects.toMatchObject({ wasSent: false })
})

test('many holds prove their connection by one statement', async () => {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const session = sessionOver((text) => {
    asked.push(text)
    return new Promise((resolve) => answers.push(() => resolve({ rows: [], rowCount: 0 })))
  })
  const proofs = Array.from({ length: 100 }, () => session.prove())
  await Promise.resolve()
  for (const answer of answers) answer()
  expect(new Set(await Promise.all(proofs))).toEqual(new Set([true]))
  expect(asked).toHaveLength(1)
  session.end('the test is over')
})

test('a connection that does not answer is at risk after a sixth of its TTL, held again by an answer, and lost at its end', async () => {
  const time = new VirtualTime()
  const { environment, timers } = time.process()
  const answers: (() => void)[] = []
  const query = (): Promise<PgResult> =>
    new Promise((resolve) => answers.push(() => resolve({ rows: [], rowCount: 0 })))
  const session = sessionOver(query, environment)
  const told: string[] = []
  session.listen((state) => told.push(`${state} ${time.nowMs / 1_000}`))
  // Asked at 20 s, a third of the TTL.
  await time.advance(29_000)
  expect([session.state, answers.length]).toEqual(['held', 1])
  await time.advance(1_000)
  expect(session.state).toBe('at-risk')
  answers.shift()?.()
  await time.settle()
  expect(told).toEqual(['at-risk 30', 'held 30'])
  // Its time counts from the sending of what was answered, less the drift.
  await time.advance(49_397)
  expect(session.state).toBe('at-risk')
  await time.advance(1)
  expect([session.state, session.isAlive, timers()]).toEqual(['lost', false, 0])
})
