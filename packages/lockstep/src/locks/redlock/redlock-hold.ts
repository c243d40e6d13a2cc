import { mutant } from '#mutant'
import { type LockHold, RedisCallError } from '../../ports/index.ts'
import { validUntil } from '../backend/index.ts'
import { type Poll, pollNodes } from './poll.ts'
import type { RedlockKeys } from './redlock-name.ts'
import type { RedlockNode } from './redlock-node.ts'
import { carelessReleaseScript, extendScript, releaseScript, retakeScript } from './scripts.ts'
import { type Silence, unavailable } from './trouble.ts'

export interface Grant {
  readonly nodes: readonly RedlockNode[]
  readonly keys: RedlockKeys
  readonly owner: string
  readonly token: bigint
  readonly ttlMs: number
  readonly validUntilMs: number
  readonly nodeTimeoutMs: number
  readonly nowMs: () => number
}

/** A majority of the nodes stands for it. */
export class RedlockHold implements LockHold {
  readonly token: bigint
  ttlMs: number
  validUntilMs: number
  readonly #grant: Grant
  readonly #tellReleased: (listeners: number) => void
  readonly #released = new Set<RedlockNode>()
  #isReleased = false

  /** `tellReleased` is called when a majority has let go of it, with how many listened to that on one of them. */
  constructor(grant: Grant, tellReleased: (listeners: number) => void) {
    this.#grant = grant
    this.#tellReleased = tellReleased
    this.token = grant.token
    this.ttlMs = grant.ttlMs
    this.validUntilMs = grant.validUntilMs
  }

  async extend(ttlMs: number): Promise<boolean> {
    const { nodes, keys, owner, nodeTimeoutMs, nowMs } = this.#grant
    const args = [owner, String(ttlMs)]
    const extension = { script: extendScript, keys: [keys.lock, keys.counter], args, timeoutMs: nodeTimeoutMs }
    const sentMs = nowMs()
    // Of a shorter one the nodes make nothing, but it is all that was asked for from now on.
    this.validUntilMs = Math.min(this.validUntilMs, validUntil(sentMs, ttlMs))
    const poll = await pollNodes(
      nodes,
      (node, isOpen) => node.vote(extension, isOpen),
      (answer) => (answer === 1 ? 'yes' : 'no'),
    )
    if (poll.votes.outcome !== 'won') return this.#notExtended(poll)
    this.#retake(poll, ttlMs)
    const untilMs = validUntil(mutant('W4-renewal-from-reply-time') ? nowMs() : sentMs, ttlMs)
    if (untilMs <= nowMs()) throw unavailable('extended', [...poll.silences, ...tooLate(poll)], poll.votes.quorum)
    this.validUntilMs = Math.max(this.validUntilMs, untilMs)
    this.ttlMs = ttlMs
    return true
  }

  async release(): Promise<boolean> {
    const { nodes, keys, owner, nodeTimeoutMs } = this.#grant
    const args = [owner, keys.channel]
    const script = mutant('M16-release-without-owner-compare') ? carelessReleaseScript : releaseScript
    const question = { script, keys: [keys.lock], args, timeoutMs: nodeTimeoutMs }
    // What is not answered is owed from the first time on; a repeat owes nothing more.
    const isRepeat = this.#isReleased
    this.#isReleased = true
    const poll = await pollNodes(
      nodes,
      async (node) => {
        if (this.#released.has(node)) return 1
        const answer = await (isRepeat ? node.ask(question) : node.release(question, this.ttlMs))
        if (answer !== 0) this.#released.add(node)
        return answer
      },
      (answer) => (answer === 0 ? 'no' : 'yes'),
    )
    if (poll.votes.outcome === 'won') {
      this.#tellReleased(Math.max(...poll.answers.map(({ answer }) => Number(answer) - 1)))
      return true
    }
    if (poll.votes.no >= poll.votes.quorum) return false
    throw unavailable('released', poll.silences, poll.votes.quorum)
  }

  watch(): void {}

  /** Lost when a majority said so; else nobody knows, and it is tried again. */
  #notExtended({ votes, silences }: Poll<unknown>): boolean {
    if (votes.no >= votes.quorum) return false
    throw unavailable('extended', silences, votes.quorum)
  }

  /** While a majority holds, a node that has forgotten it stands for it again. */
  #retake({ answers }: Poll<unknown>, ttlMs: number): void {
    const { keys, owner, token, nodeTimeoutMs } = this.#grant
    const args = [owner, String(token), String(ttlMs)]
    const question = { script: retakeScript, keys: [keys.lock, keys.counter], args, timeoutMs: nodeTimeoutMs }
    const isHeld = (): boolean => !this.#isReleased
    for (const { node, answer } of answers) if (answer === -1) node.vote(question, isHeld).catch(() => {})
  }
}

/** Those who did extend it have answered when that was over already. */
function tooLate({ answers }: Poll<unknown>): readonly Silence[] {
  const error = new RedisCallError('unknown', 'It has answered when what it granted had run out.')
  return answers.filter(({ answer }) => answer === 1).map(({ node }) => ({ node: node.name, error }))
}
