/** One attempt of one initiator to carry a transfer out, by the real `tcc` or by the bare API. */
import type { RandomStream } from '@lockstep/testkit'
import { isLockstepError, type Json, type TccScope } from 'lockstep'
import type { Decision } from 'lockstep/ports'
import { type InitiatingProcess, pauseOf } from '../initiating-process.ts'
import type { Watcher } from '../watcher.ts'
import { timeOf } from '../wire-time.ts'
import type { Move, TccTransfer } from './transfer.ts'

export interface Running {
  readonly by: InitiatingProcess
  readonly random: RandomStream
  readonly watcher: Watcher
}

/** Whether the initiator knows how it was decided. */
export type Known = 'decided' | 'open'

class ChangedItsMind extends Error {}

/** What an initiator may be told without anything being wrong. */
const expected: readonly string[] = [
  'LOCKSTEP_UNREACHABLE',
  'LOCKSTEP_STORE_UNAVAILABLE',
  'LOCKSTEP_BUSY',
  'LOCKSTEP_STOPPING',
  'LOCKSTEP_REFUSED',
  'LOCKSTEP_NO_ANSWER',
  'LOCKSTEP_DECIDED',
  'LOCKSTEP_EXPIRED',
  'LOCKSTEP_ROLLED_BACK',
  'LOCKSTEP_ALREADY_ROLLING_BACK',
  'LOCKSTEP_ALREADY_COMMITTING',
]

const told: Readonly<Record<string, Decision>> = {
  LOCKSTEP_ROLLED_BACK: 'rollback',
  LOCKSTEP_ALREADY_ROLLING_BACK: 'rollback',
  LOCKSTEP_ALREADY_COMMITTING: 'commit',
}

/** By `tcc`. */
export async function runTcc(transfer: TccTransfer, running: Running): Promise<Known> {
  const { by, random, watcher } = running
  const { id, deadlineMs } = transfer
  const tries = { failed: false }
  try {
    const wait = random.pick('wait', [0, 0, 0, 5_000])
    const options = { id, wait, ...(deadlineMs === null ? {} : { deadline: deadlineMs }) }
    const { replayed } = await by.initiator.tcc(options, (t) => bodyOf(transfer, t, { ...running, tries }))
    watcher.expectDecision(id, 'commit')
    if (!replayed && tries.failed) watcher.violate(`${id} was committed, although one of its tries had failed`)
    return 'decided'
  } catch (error) {
    // A coordinator that cannot call a bank says so before it registers the branch.
    const isOutOfReach = !transfer.moves.every(({ participant }) => by.transport.canCall(participant.name))
    if (isOutOfReach && isLockstepError(error, 'LOCKSTEP_CONFIGURATION')) return 'open'
    return judgeError(error, id, watcher)
  }
}

interface Trying extends Pick<Running, 'by' | 'random'> {
  readonly tries: { failed: boolean }
}

async function bodyOf({ moves, behaviour }: TccTransfer, t: TccScope, trying: Trying): Promise<void> {
  const { by, random, tries } = trying
  const tried = async (move: Move): Promise<void> => {
    try {
      await t.try(move.participant, move.input, { name: move.name, timeout: random.pick('timeout', [1_000, 10_000]) })
    } catch (error) {
      tries.failed = true
      throw error
    }
  }
  if (behaviour === 'parallel') await Promise.all(moves.map(tried))
  else if (behaviour === 'forgets') for (const move of moves) void tried(move).catch(() => {})
  else
    for (const move of moves) {
      await (behaviour === 'catches' ? tried(move).catch(() => {}) : tried(move))
      await pauseOf(by.node, random.integer('thinks', 0, 500))
    }
  if (behaviour === 'slow') await pauseOf(by.node, random.integer('slow', 0, 20_000))
  if (behaviour === 'throws') throw new ChangedItsMind()
}

function judgeError(error: unknown, id: string, watcher: Watcher): Known {
  if (error instanceof ChangedItsMind) return 'open'
  if (isLockstepError(error, 'LOCKSTEP_COMMIT_UNCONFIRMED')) return judgeError(error.cause, id, watcher)
  if (!isLockstepError(error) || !expected.includes(error.code)) {
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error)
    watcher.violate(`the initiator of ${id} was told: ${shown}`)
    return 'decided'
  }
  const decision = told[error.code]
  if (decision !== undefined) watcher.expectDecision(id, decision)
  return decision === undefined ? 'open' : 'decided'
}

/** By the bare API: registers twice, registers late, sends each try as often as it likes, and decides both ways at once. */
export async function runBare(transfer: TccTransfer, running: Running): Promise<Known> {
  const { by, random, watcher } = running
  const { id, moves, deadlineMs, careless, late } = transfer
  const { coordination } = by
  try {
    const body = deadlineMs === null ? { id, pattern: 'tcc' } : { id, pattern: 'tcc', deadline: deadlineMs }
    const { transaction } = await coordination.begin(body)
    const at = { id, store: transaction.store, begunAt: timeOf(transaction.createdAt) }
    const tries = moves.map((move) => bareTry(move, at, running))
    const results = careless ? [] : await Promise.all(tries)
    if (careless) await pauseOf(by.node, random.integer('hurries', 0, 2_000))
    const isAll = careless || results.every((done) => done)
    if (random.chance('looks', 0.2)) void by.coordination.get(id, { waitMs: 5_000 }).catch(() => {})
    if (random.chance('says nothing', 0.15)) return 'open'
    const decision = isAll && !random.chance('cancels', 0.1) ? 'commit' : 'rollback'
    // A branch that nobody has tried must not be confirmed: only who rolls back, or is careless, may register it now.
    if (late !== null && (careless || decision === 'rollback')) void bareTry(late, at, running)
    if (random.chance('both ways', 0.1)) void decideBare(id, 'rollback', running)
    return await decideBare(id, decision, running)
  } catch (error) {
    return judgeError(error, id, watcher)
  }
}

async function decideBare(id: string, decision: Decision, { by, watcher }: Running): Promise<Known> {
  try {
    await by.coordination.decide(id, decision)
    watcher.expectDecision(id, decision)
    return 'decided'
  } catch (error) {
    return judgeError(error, id, watcher)
  }
}

interface At {
  readonly id: string
  readonly store: string
  readonly begunAt: number
}

const bareTriesMax = 3

/** True when the try was answered `done`. */
async function bareTry({ name, participant, input }: Move, at: At, running: Running): Promise<boolean> {
  const { by, random, watcher } = running
  const { id, store, begunAt } = at
  const branch = { name, participant: participant.name, input: input as unknown as Json }
  try {
    if (random.chance('registers twice', 0.2)) {
      void by.coordination.register(id, branch).catch((error: unknown) => judgeError(error, id, watcher))
    }
    await by.coordination.register(id, branch)
    watcher.expectBranch(id, name)
  } catch (error) {
    judgeError(error, id, watcher)
    return false
  }
  const call = { target: participant.name, operation: 'try', store, transaction: id, branch: name, begunAt } as const
  for (let attempt = 1; attempt <= bareTriesMax; attempt++) {
    const timeoutMs = random.pick('timeout', [1_000, 10_000])
    const sent = { ...call, attempt, timeoutMs, input: branch.input, traceparent: null }
    const outcome = await by.transport.call(sent)
    if (outcome.kind === 'done') return true
    if (outcome.kind === 'refused') return false
    await pauseOf(by.node, random.integer('tries again', 100, 2_000))
  }
  return false
}
