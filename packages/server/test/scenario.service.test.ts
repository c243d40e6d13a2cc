/** The same scenario embedded, over `connect` on SQLite, and over `connect` on PostgreSQL: it must end the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '@lockstep/testkit'
import { connect, createCoordinator, type TransactionBody } from 'lockstep'
import { sqliteStore } from 'lockstep/sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { inProcessServer } from './in-process-server.ts'
import { databases, runScenario, type Seen, serveShop, shop, type steps } from './scenario.ts'

async function embedded(): Promise<Record<string, Seen>> {
  const place = shop()
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-embedded-'))
  const { participants, check } = place
  const store = sqliteStore({ path: join(folder, 'test.db') })
  const coordinator = createCoordinator({ store, participants, checkBack: check, databases })
  await coordinator.start()
  const seen = await runScenario(coordinator, place)
  await coordinator.stop()
  rmSync(folder, { recursive: true, force: true })
  return seen
}

async function remote(flags: Readonly<Record<string, unknown>>): Promise<Record<string, Seen>> {
  const place = shop()
  const served = await serveShop(place)
  const server = await inProcessServer({ services: served.file, ...flags })
  const coordinator = connect(server.url, { services: served.services, checkBack: place.check, databases })
  const seen = await runScenario(coordinator, place)
  await coordinator.close()
  await server.stop()
  await served.close()
  return seen
}

/** What was answered or thrown, how it ended, and what took effect. */
const expected: Readonly<Record<keyof typeof steps, string>> = {
  'saga-commits': 'committed | committed | pack tea, ship tea',
  'saga-rolls-back': 'rolled-back | rolled-back | pack tea, unpack tea',
  'tcc-commits': 'committed | committed | hold tea, hold cup, sell tea, sell cup',
  'tcc-again': 'committed | committed | hold tea, sell tea',
  'tcc-throws': 'changed my mind | rolled-back | hold tea, free tea',
  'tcc-refused': 'LOCKSTEP_REFUSED | rolled-back | hold tea, free tea',
  'tcc-refused-and-caught': 'LOCKSTEP_ROLLED_BACK | rolled-back | hold tea, free tea',
  'tcc-forgotten': 'rolled-back | rolled-back | ',
  'tcc-registers-late': 'LOCKSTEP_DECIDED | committed | ',
  'tcc-commit-after-rollback': 'LOCKSTEP_ALREADY_ROLLING_BACK | rolled-back | ',
  'message-commits': 'committed | committed | paid, tell tea, tell tea',
  'message-again': 'committed | committed | paid, tell tea',
  'message-throws': 'no money | rolled-back | ',
  'message-throws-before': 'too early | rolled-back | ',
  'message-after-its-check': 'LOCKSTEP_ROLLED_BACK | rolled-back | ',
  'message-whose-producer-dies-after-its-commit': 'committed | committed | paid, tell tea',
  'message-refused-is-held': 'held | held delivery-refused | paid',
  'list-by-label': '1 listed | committed | pack tea',
  'skip-what-is-held': 'committed | committed incomplete | paid',
}

function inShort({ answer, transaction, effects }: Seen): string {
  const { status, threw, length } = answer as { status?: string; threw?: string; length?: number }
  const { held, incomplete, status: end } = transaction as TransactionBody
  const ended = held === null ? `${end}${incomplete ? ' incomplete' : ''}` : `held ${held.reason}`
  return [
    status ?? threw ?? `${length} listed`,
    ended,
    effects.map((one) => one.replace(/ for .*$/, '')).join(', '),
  ].join(' | ')
}

describe('one scenario, whatever stands between the service and the store', () => {
  const reference = embedded()

  it('ends as it should, embedded', async () => {
    const ends = Object.entries(await reference).map(([id, seen]) => [id, inShort(seen)])
    expect(Object.fromEntries(ends)).toEqual(expected)
  }, 60_000)

  it('ends the same over connect, on SQLite', async () => {
    expect(await remote({})).toEqual(await reference)
  }, 60_000)

  if (testsWithPostgres()) {
    let postgres: RunningPostgres | undefined
    afterAll(() => postgres?.stop())

    it('ends the same over connect, on PostgreSQL', async () => {
      postgres = await startPostgres({ fsync: false })
      expect(await remote({ store: await postgres.createDatabase(), init: true })).toEqual(await reference)
    }, 120_000)
  }
})
