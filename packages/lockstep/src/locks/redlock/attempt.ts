import { mutant } from '#mutant'
import type { LockAsk } from '../../ports/index.ts'
import { validUntil } from '../backend/index.ts'
import { pollNodes } from './poll.ts'
import type { Grant } from './redlock-hold.ts'
import { ownerText, type RedlockKeys } from './redlock-name.ts'
import type { RedlockNode } from './redlock-node.ts'
import { acquireScript, releaseScript } from './scripts.ts'
import { tokenOfMajority, writeBack } from './token-rule.ts'
import type { Silence } from './trouble.ts'

/** What came of an attempt. What is known of the others grows until `finished`: it is settled before all have answered. */
export interface Attempted {
  readonly grant: Grant | null
  /** A node said that it stands for somebody else. */
  readonly isContended: boolean
  /** So many nodes stand for one other owner that it holds the lock; else the votes were split. */
  readonly isHeld: boolean
  /** So many nodes are away that nobody can hold it. */
  readonly isUnavailable: boolean
  readonly silences: readonly Silence[]
  readonly quorum: number
  readonly finished: Promise<void>
  /** Until a majority was locked, or it was settled that it would not be. */
  readonly tookMs: number
  /** Takes back what it was granted. */
  giveUp(): void
}

export interface AttemptParts {
  readonly nodes: readonly RedlockNode[]
  readonly keys: RedlockKeys
  readonly nodeTimeoutMs: number
  readonly nowMs: () => number
  readonly since: number
}

/**
 * One attempt, by the rules of https://redis.io/docs/latest/develop/clients/patterns/distributed-locks with a token: the largest counter
 * of the granting majority, written back to a majority before anybody is told of it. Two such majorities share a node; its later owner got a
 * counter above the earlier token there, and the node counts for that owner only with a larger token.
 */
export async function attempt(ask: LockAsk, number: number, parts: AttemptParts): Promise<Attempted> {
  const { nodes, keys, nodeTimeoutMs, nowMs } = parts
  const sentMs = nowMs()
  const owner = ownerText(ask, number, parts.since)
  const both = [keys.lock, keys.counter]
  const question = { script: acquireScript, keys: both, args: [owner, String(ask.ttlMs)], timeoutMs: nodeTimeoutMs }
  const poll = await pollNodes(
    nodes,
    (node, isOpen) => node.vote(question, isOpen),
    (answer) => (granted(answer) === null ? 'no' : 'yes'),
  )
  const tookMs = nowMs() - sentMs
  const counters = poll.answers.flatMap(({ answer }) => granted(answer) ?? [])
  const token = await tokenOf(poll.votes.outcome === 'won' ? counters : [], owner, ask.ttlMs, parts)
  const validUntilMs = validUntil(sentMs, ask.ttlMs)
  // The validity is what is left after the write-back; nothing left is no lease.
  const isValid = token !== null && (validUntilMs > nowMs() || mutant('W1-no-validity-check'))
  if (!isValid) giveUp(owner, ask.ttlMs, parts)
  return {
    grant: isValid ? { ...parts, owner, token, ttlMs: ask.ttlMs, validUntilMs } : null,
    get isContended() {
      return poll.votes.no > 0
    },
    get isHeld() {
      return hasMajority(
        poll.answers.map(({ answer }) => otherOwner(answer)),
        poll.votes.quorum,
      )
    },
    get isUnavailable() {
      return poll.votes.isUnavailable
    },
    silences: poll.silences,
    quorum: poll.votes.quorum,
    finished: poll.finished,
    tookMs,
    giveUp: () => giveUp(owner, ask.ttlMs, parts),
  }
}

/** Released everywhere, also where the answer was no or none: a minority that is kept keeps everybody out. */
function giveUp(owner: string, ttlMs: number, { nodes, keys, nodeTimeoutMs }: AttemptParts): void {
  const question = { script: releaseScript, keys: [keys.lock], args: [owner, ''], timeoutMs: nodeTimeoutMs }
  for (const node of nodes) node.owe(question, ttlMs)
}

/** Null when no majority stands for it. */
async function tokenOf(
  counters: readonly bigint[],
  owner: string,
  ttlMs: number,
  { nodes, keys, nodeTimeoutMs }: AttemptParts,
): Promise<bigint | null> {
  if (counters.length === 0) return null
  const { token, isStored } = tokenOfMajority(counters, Math.floor(nodes.length / 2) + 1)
  if (isStored) return token
  const args = [owner, String(token), String(ttlMs)]
  const question = { script: writeBack(), keys: [keys.lock, keys.counter], args, timeoutMs: nodeTimeoutMs }
  const poll = await pollNodes(
    nodes,
    (node, isOpen) => node.vote(question, isOpen),
    (answer) => (answer === 1 ? 'yes' : 'no'),
  )
  return poll.votes.outcome === 'won' ? token : null
}

function hasMajority(owners: readonly (string | null)[], quorum: number): boolean {
  const named = owners.filter((owner) => owner !== null)
  return named.some((owner) => named.filter((other) => other === owner).length >= quorum)
}

function otherOwner(answer: unknown): string | null {
  return Array.isArray(answer) && answer[0] === 0 ? String(answer[1]) : null
}

function granted(answer: unknown): bigint | null {
  return Array.isArray(answer) && answer[0] === 1 ? BigInt(String(answer[1])) : null
}
