/**
 * A transfer between two banks as a saga, all in one process and one file. Run it with `npx node examples/01-transfer/transfer.ts`
 * after `npm run build`; kill it anywhere and run it again: nothing is lost and nothing happens twice.
 */
import { DatabaseSync } from 'node:sqlite'
import { type Branch, createCoordinator, participant, refuse, saga } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import { sqliteStore } from 'lockstep/sqlite'
import { z } from 'zod'

// Two databases that know nothing of each other. Each has the barrier table beside its own tables.
const [bankA, bankB] = ['bank-a', 'bank-b'].map((name) => {
  const database = new DatabaseSync(`${process.argv[2] ?? '.'}/${name}.db`)
  database.exec(`${barrierSql('sqlite')}
    create table if not exists account (id text primary key, balance integer not null);
    insert into account values ('ann', 100), ('bob', 100) on conflict do nothing`)
  return database
}) as [DatabaseSync, DatabaseSync]

const Transfer = z.object({ from: z.string(), to: z.string(), amount: z.number().int().positive() })

/** Moves money in one bank, in one database transaction with the barrier row of this branch. */
function move(bank: DatabaseSync, branch: Branch, account: string, delta: number) {
  return branch.transact(bank, (tx) => {
    const row = tx
      .prepare('update account set balance = balance + ? where id = ? returning balance')
      .get(delta, account)
    if (row === undefined) refuse({ code: 'no-such-account', account })
    if (Number(row['balance']) < 0) refuse({ code: 'insufficient-funds', account })
    return { balance: Number(row['balance']) }
  })
}

const debit = participant('bank-a.debit', {
  input: Transfer,
  action: ({ from, amount }, branch) => move(bankA, branch, from, -amount),
  compensate: ({ from, amount }, branch) => move(bankA, branch, from, amount),
})
const credit = participant('bank-b.credit', {
  input: Transfer,
  action: ({ to, amount }, branch) => move(bankB, branch, to, amount),
  compensate: ({ to, amount }, branch) => move(bankB, branch, to, -amount),
})

const transfer = saga('transfer').step('debit', debit).step('credit', credit)

const coordinator = createCoordinator({
  store: sqliteStore({ path: `${process.argv[2] ?? '.'}/lockstep.db` }),
  participants: [debit, credit],
})
await coordinator.start()
console.log('paid:   ', await coordinator.run(transfer, { from: 'ann', to: 'bob', amount: 30 }, { id: 'order-42' }))
console.log('again:  ', await coordinator.run(transfer, { from: 'ann', to: 'bob', amount: 30 }, { id: 'order-42' }))
console.log('refused:', await coordinator.run(transfer, { from: 'ann', to: 'nobody', amount: 5 }, { id: 'order-43' }))
const [ann, bob] = [bankA, bankB].map((bank, at) =>
  bank.prepare('select balance from account where id = ?').get(['ann', 'bob'][at] ?? ''),
)
console.log(`ann has ${ann?.['balance']}, bob has ${bob?.['balance']}`)
await coordinator.stop()
