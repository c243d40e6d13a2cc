/** One transfer between two banks by each pattern, made and refused, all in this process. Killing is left to `npm run crash`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkBack, createCoordinator, type EmbeddedCoordinator } from 'lockstep'
import { sqliteStore } from 'lockstep/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BankDatabase, openBank, prepareBank } from './bank-database.ts'
import { readBooks } from './books.ts'
import { messageParticipants, transferByMessage } from './message.ts'
import { sagaBody, sagaParticipants } from './saga.ts'
import { tccParticipants, transferByTcc } from './tcc.ts'
import { patterns, type Transfer } from './transfer.ts'
import { brokenNow, doubled, leftOver, moneyIn, torn } from './verdicts.ts'

const opening = 100
const names = ['bank-a', 'bank-b']
let directory: string
let banks: { name: string; database: string }[]
let databases: BankDatabase[]
let coordinator: EmbeddedCoordinator

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-bank-'))
  banks = names.map((name) => ({ name, database: `sqlite:${join(directory, `${name}.db`)}` }))
  for (const { database } of banks) await prepareBank(database, ['ann', 'bob'], opening)
  databases = await Promise.all(banks.map(({ database }) => openBank(database)))
  const participants = databases.flatMap((database, at) =>
    [sagaParticipants, tccParticipants, messageParticipants].flatMap((of) => of(names[at] ?? '', database)),
  )
  const check = checkBack('bank-a', { pool: databases[0]?.handle ?? {} })
  coordinator = createCoordinator({
    store: sqliteStore({ path: join(directory, 'lockstep.db') }),
    participants,
    checkBack: check,
  })
  await coordinator.start()
})

afterEach(async () => {
  await coordinator.stop()
  for (const database of databases) await database.close()
  rmSync(directory, { recursive: true, force: true })
})

async function make(transfer: Transfer): Promise<void> {
  const [database] = databases
  if (database === undefined) throw new Error('no bank')
  if (transfer.pattern === 'saga') await coordinator.begin(sagaBody(transfer))
  else {
    const order = { ...transfer, pattern: transfer.pattern }
    const made =
      order.pattern === 'tcc'
        ? transferByTcc(coordinator, 'bank-a', order)
        : transferByMessage(coordinator, { bank: 'bank-a', database }, order)
    await made.catch(() => {})
  }
}

/** How it ended, once all that it has caused has ended too. */
async function endOf(id: string) {
  await expect
    .poll(async () => (await coordinator.list()).items.filter(({ endedAt }) => endedAt === null), { timeout: 10_000 })
    .toEqual([])
  const end = await coordinator.get(id)
  if (end === null) throw new Error(`${id} is gone`)
  return end
}

describe.each(patterns)('a transfer by %s', (pattern) => {
  const ordinary: Transfer = {
    id: 't',
    pattern,
    fromBank: 'bank-a',
    from: 'ann',
    toBank: 'bank-b',
    to: 'bob',
    amount: 30,
  }

  it.each([
    ['is made', ordinary, 70, 130],
    ['is refused by the first bank for want of money', { ...ordinary, amount: 101 }, 100, 100],
    ['is refused by the other bank, which has no such account', { ...ordinary, to: 'nobody' }, 100, 100],
  ])('%s, ordered twice', async (_name, transfer, atA, atB) => {
    await make(transfer)
    await make(transfer)
    const end = await endOf(transfer.id)
    const books = await Promise.all(banks.map(readBooks))
    expect(books.map(({ accounts }) => [accounts.get('ann')?.balance, accounts.get('bob')?.balance])).toEqual([
      [atA, opening],
      [opening, atB],
    ])
    expect(torn(new Map([['t', transfer]]), new Map([['t', end]]), books)).toEqual([])
    expect([...doubled(books), ...leftOver(books), ...books.flatMap((one) => brokenNow(one, opening))]).toEqual([])
    expect(moneyIn(books)).toBe(4 * opening)
  })
})
