/** A coordinator inside a service: the load, the coordinator and the participants in one process. */
import {
  createCoordinator,
  type EmbeddedCoordinator,
  type Json,
  type ParticipantDefinition,
  participant,
  type TransactionStore,
} from 'lockstep'
import { z } from 'zod'
import { sqliteCommits } from '../measuring/sqlite-commits.ts'
import { answerQuestions } from '../setting/child.ts'
import { openStore } from '../setting/stores.ts'
import { type LoadOptions, type LoadResult, load } from './load.ts'
import { type LocalDatabase, openLocal } from './local-database.ts'
import type { CommitsAlone, PatternName } from './pattern.ts'
import { patternOf } from './patterns.ts'

/**
 * `declared`: they do nothing and say that they use the barrier, so that only the coordinator is measured. `none`: the same
 * without a barrier, so that each result must be durable before the next step. `sqlite`: a real barrier and a real row, in a
 * database of the participants' own.
 */
export type Participants = 'declared' | 'none' | 'sqlite'

export type InProcessQuestion =
  | {
      readonly kind: 'open'
      readonly store: string
      readonly pattern: PatternName
      readonly participants: Participants
      /** The file of the participants' and the initiator's own database. */
      readonly local: string
    }
  | ({ readonly kind: 'load' } & LoadOptions)
  | { readonly kind: 'count'; readonly runs: number }

export interface InProcessResult extends LoadResult {
  /** Calls of the store's `commit`: durable commits of the journal. */
  readonly commits: number
}

export type InProcessAnswer = InProcessResult | CommitsAlone | null

interface Open {
  readonly coordinator: EmbeddedCoordinator
  readonly pattern: PatternName
  readonly local: LocalDatabase
}

let opened: Open | null = null
let commits = 0
let rowWrites = 0
/** What calls of participants wait for, so that the end comes only when it is let come. */
let gate: Promise<void> = Promise.resolve()

answerQuestions<InProcessQuestion, InProcessAnswer>(
  async (question) => {
    if (question.kind === 'open') return open(question)
    if (opened === null) throw new Error('The coordinator is not open.')
    return question.kind === 'load' ? measure(opened, question) : count(opened, question.runs)
  },
  async () => opened?.coordinator.stop(),
)

async function open(question: Extract<InProcessQuestion, { kind: 'open' }>): Promise<null> {
  const { store, pattern, participants } = question
  const local = openLocal(question.local)
  const coordinator = createCoordinator({
    store: counted(openStore(store)),
    participants: participantsOf(pattern, participants, local),
  })
  await coordinator.start()
  opened = { coordinator, pattern, local }
  return null
}

async function measure({ coordinator, pattern }: Open, options: LoadOptions): Promise<InProcessResult> {
  const before = { commits, rowWrites }
  const run = patternOf(pattern).byLibrary({ coordinator, until: 'final', local: async () => null })
  const result = await load(options, run)
  return { ...result, commits: commits - before.commits, rowWrites: rowWrites - before.rowWrites }
}

/** Of transactions that run alone, the most that one of them took. Counted, not timed: how busy the machine is changes nothing. */
async function count({ coordinator, pattern, local }: Open, runs: number): Promise<CommitsAlone> {
  const { untils, byLibrary } = patternOf(pattern)
  const until = untils.includes('decided') ? 'decided' : 'final'
  const run = byLibrary({ coordinator, until, local: local.write })
  const taken: CommitsAlone[] = []
  for (let number = 0; number < runs; number++) {
    const id = `alone-${process.pid}-${number}`
    const before = { coordinator: commits, local: sqliteCommits(local.path) }
    const open = until === 'decided' ? closeGate() : () => {}
    await run(id)
    const waited = commits - before.coordinator
    open()
    await coordinator.get(id, { waitMs: 10_000 })
    taken.push({ waited, local: sqliteCommits(local.path) - before.local, all: commits - before.coordinator })
  }
  const most = (name: keyof CommitsAlone) => Math.max(...taken.map((one) => one[name]))
  return { waited: most('waited'), local: most('local'), all: most('all') }
}

function closeGate(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  gate = promise
  return resolve
}

function counted(store: TransactionStore): TransactionStore {
  return {
    ...store,
    commit(batch, writer) {
      commits += 1
      rowWrites += batch.length
      return store.commit(batch, writer)
    },
  }
}

function participantsOf(pattern: PatternName, kind: Participants, local: LocalDatabase): ParticipantDefinition[] {
  const names = patternOf(pattern).participants.map((name) => `bank.${name}`)
  if (kind === 'sqlite') return names.map((name) => withBarrier(name, local))
  return names.map((name) => ({
    name,
    barrier: kind === 'declared',
    operations: ['action', 'compensate', 'try', 'confirm', 'cancel', 'deliver'],
    run: async (operation) => {
      if (operation === 'confirm' || operation === 'deliver') await gate
      return { kind: 'done', output: {} }
    },
  }))
}

const Entry = z.object({ account: z.string(), amount: z.number() })

function withBarrier(name: string, { write }: LocalDatabase): ParticipantDefinition {
  return participant(name, {
    input: Entry,
    action: async (_, branch) => (await write(branch)) as { readonly [key: string]: Json },
  })
}
