import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { nodeEnvironment } from '../../environment/node.ts'
import { type PgKeptClientHandle, silentLogger } from '../../ports/index.ts'
import { AdvisorySession } from './advisory-session.ts'
import { Notices } from './notices.ts'

function sessionOver(query: PgKeptClientHandle['query']): AdvisorySession {
  const client: PgKeptClientHandle = { query, release() {}, on() {}, removeListener() {} }
  const environment = { ...nodeEnvironment, log: silentLogger }
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
