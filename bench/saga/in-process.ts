/** A coordinator inside a service: the load, the coordinator and the participants in one process. */
import { DatabaseSync } from 'node:sqlite'
import {
  type Coordinator,
  createCoordinator,
  type ParticipantDefinition,
  participant,
  type TransactionStore,
} from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import { z } from 'zod'
import { answerQuestions } from '../setting/child.ts'
import { openStore } from '../setting/stores.ts'
import { type LoadOptions, type LoadResult, load } from './load.ts'

/**
 * `declared`: they do nothing and say that they use the barrier, so that only the coordinator is measured. `none`: the same
 * without a barrier, so that each result must be durable before the next step. `sqlite`: a real barrier and a real row, in a
 * database of the participants' own.
 */
export type Participants = 'declared' | 'none' | 'sqlite'

export type InProcessQuestion =
  | { readonly kind: 'open'; readonly store: string; readonly participants: Participants; readonly bank: string }
  | ({ readonly kind: 'load' } & LoadOptions)

export interface InProcessResult extends LoadResult {
  /** Calls of the store's `commit`: durable commits of the journal. */
  readonly commits: number
}

let coordinator: Coordinator | null = null
let commits = 0

answerQuestions<InProcessQuestion, InProcessResult | null>(
  async (question) => {
    if (question.kind === 'load') return measure(question)
    const { store, participants, bank } = question
    coordinator = createCoordinator({
      store: counted(openStore(store)),
      participants: participantsOf(participants, bank),
    })
    await coordinator.start()
    return null
  },
  async () => coordinator?.stop(),
)

async function measure(options: LoadOptions): Promise<InProcessResult> {
  const before = commits
  const result = await load(options, runSaga)
  return { ...result, commits: commits - before }
}

const steps = ['debit', 'credit'].map((name, at) => ({
  name,
  participant: `bank.${name}`,
  input: { account: `account-${at}`, amount: 5 },
}))

async function runSaga(id: string): Promise<number> {
  if (coordinator === null) throw new Error('The coordinator is not open.')
  const { transaction } = await coordinator.begin({ id, pattern: 'saga', steps, wait: 10_000 })
  if (transaction.status !== 'committed') throw new Error(`${id} ended as ${transaction.status}.`)
  return transaction.version
}

function counted(store: TransactionStore): TransactionStore {
  return {
    ...store,
    commit(batch, writer) {
      commits += 1
      return store.commit(batch, writer)
    },
  }
}

function participantsOf(kind: Participants, bank: string): ParticipantDefinition[] {
  if (kind === 'sqlite') return withBarrier(bank)
  return ['bank.debit', 'bank.credit'].map((name) => ({
    name,
    barrier: kind === 'declared',
    operations: ['action', 'compensate'],
    run: () => Promise.resolve({ kind: 'done', output: {} }),
  }))
}

const Entry = z.object({ account: z.string(), amount: z.number() })

function withBarrier(path: string): ParticipantDefinition[] {
  const database = new DatabaseSync(path)
  database.exec(`pragma journal_mode = wal; pragma synchronous = full; ${barrierSql('sqlite')}
    create table ledger (account text not null, amount integer not null)`)
  const note = database.prepare('insert into ledger values (?, ?)')
  return ['bank.debit', 'bank.credit'].map((name) =>
    participant(name, {
      input: Entry,
      action: ({ account, amount }, branch) =>
        branch.transact(database, async () => {
          note.run(account, amount)
          return {}
        }),
    }),
  )
}
