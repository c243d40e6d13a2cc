/** What runs in the processes of producers and receivers. */
import type { RandomStream } from '@lockstep/testkit'
import { type Branch, checkBack, type EscalationPayload, participant, refuse } from 'lockstep'
import type { MemoryTransaction } from 'lockstep/memory-database'
import type { CheckBackDefinition, Outcome, ParticipantDefinition } from 'lockstep/ports'
import { mutant } from 'lockstep/testing'
import { anySchema } from '../any-schema.ts'
import { leaveEffect } from '../effect-log.ts'
import type { DatabaseClient, SharedDatabase } from '../shared-database.ts'
import type { AwardInput, Order } from './order.ts'

/** `<service>.award`: takes a message in, once. */
export function receiverOf(service: string, database: DatabaseClient, isIll: () => boolean): ParticipantDefinition {
  return participant(`${service}.award`, {
    input: anySchema<AwardInput>(),
    deliver: (input, branch) =>
      branch.transact(database, async (tx) => {
        if (input.refuse || (input.stubborn && isIll())) refuse({ code: 'no-such-member' })
        return leave(tx as MemoryTransaction, branch, { points: input.points })
      }),
  })
}

/** `<service>.undo`: reverses the business of a message that a receiver has refused. */
export function undoerOf(service: string, database: DatabaseClient): ParticipantDefinition {
  return participant(`${service}.undo`, {
    input: anySchema<EscalationPayload>(),
    deliver: (input, branch) =>
      branch.transact(database, async (tx) =>
        leave(tx as MemoryTransaction, branch, { undoes: input.transaction, delivery: input.delivery }),
      ),
  })
}

/** The business of the local transaction. */
export function pay(tx: unknown, branch: Branch, order: Order): { readonly paid: number } {
  leave(tx as MemoryTransaction, branch, { order: order.id })
  return { paid: order.payload.points }
}

function leave(tx: MemoryTransaction, { transaction, name, operation }: Branch, what: Record<string, string | number>) {
  leaveEffect(tx, { transaction, branch: name, operation, what })
  return { receipt: `${transaction}/${name}` }
}

const replicaLagMs = 3_000

export interface CheckBackParts {
  readonly database: SharedDatabase
  readonly client: DatabaseClient
  /** Virtual time. */
  readonly now: () => number
}

/** The check-back of a producer, by the barrier on the primary. */
export function checkBackOf(service: string, { database, client, now }: CheckBackParts): CheckBackDefinition {
  if (!mutant('M09-check-reads-a-replica')) return checkBack(service, { pool: client })
  // The known bug M09: it looks into a copy that lags behind, and plants nothing.
  return checkBack(service, {
    check: (_, { store, transaction, name: branch }) => {
      const key = { store, transaction, branch, operation: 'action' } as const
      return database.writerAsOf(key, now() - replicaLagMs) === 'action' ? 'commit' : 'rollback'
    },
  })
}

const strange: readonly Outcome[] = [
  { kind: 'done', output: null },
  { kind: 'done', output: { ok: true } },
  { kind: 'done', output: { decision: 'perhaps' } },
  { kind: 'done', output: 'commit' },
  { kind: 'refused', reason: { decision: 'rollback' } },
  { kind: 'pending', retryAfterMs: 5_000 },
  { kind: 'unknown', error: '500' },
]

/** Something stands in front of it and answers now and then: what it says decides nothing. */
export function behindSomething(
  definition: CheckBackDefinition,
  random: RandomStream,
  rate: () => number,
): CheckBackDefinition {
  return {
    ...definition,
    run(...asked) {
      const isStrange = random.chance('strange answer', rate())
      const answer = random.pick('strange answer', strange)
      return isStrange ? Promise.resolve(answer) : definition.run(...asked)
    },
  }
}
