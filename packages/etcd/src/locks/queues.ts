/**
 * The transactions on the queues. Each is one round trip, and does no harm when it is done twice: of what put an entry and may come once
 * more, behind its removal, that removal says so as well.
 */
import { messageOf } from 'lockstep'
import { type LockAsk, type LockKind, lockKind } from 'lockstep/ports'
import { EtcdError } from '../errors.ts'
import type { CallBounds, Etcd } from '../etcd.ts'
import { endOfPrefix } from '../wire/codec.ts'
import type { Comparison, KeyRange, KeyValue, Operation, TxnResult } from '../wire/messages.ts'
import { type Blockers, blockersOf, lowerQuery } from './admission.ts'
import { type Entry, entryKey, entryValue, queueOf, readEntry, withdrawalKey } from './entry.ts'

/** What one acquisition is, before and after it stands in its queue. */
export interface Candidate {
  readonly key: string
  readonly leaseId: bigint
  readonly ask: LockAsk
  /** The request that put it was sent twice, and the other one may yet come: behind its removal, it would put it again. */
  readonly mayComeAgain?: boolean
}

export interface Standing extends Candidate {
  /** The create revision of its key: its place in the queue, and its token. */
  readonly token: bigint
  readonly listedAt: bigint
  /** Null when it holds. */
  readonly blockers: Blockers | null
}

/** Others change the queue while one try looks at it; this often it looks again. */
const triesMax = 16

export class Queues {
  readonly #etcd: Etcd
  readonly #prefix: string

  constructor(etcd: Etcd, prefix: string) {
    this.#etcd = etcd
    this.#prefix = prefix
  }

  candidate(ask: LockAsk, leaseId: bigint, nonce: string): Candidate {
    return { key: entryKey(queueOf(this.#prefix, lockKind(ask.mode), ask.name), leaseId, nonce), leaseId, ask }
  }

  /** Joins its queue at the end, and tells what stands before it. */
  async enter(candidate: Candidate, bounds: CallBounds): Promise<Standing> {
    const range = this.#lower(candidate, { own: true })
    const own: Operation = { kind: 'range', key: candidate.key }
    const request = { compare: this.#absent(candidate), success: [this.#put(candidate), range], failure: [own] }
    const answer = await this.#etcd.txn(request, { ...bounds, repeatable: true })
    const sent = afterRequest(candidate, answer)
    if (answer.succeeded) return this.#standing(sent, answer.revision, answer, 1)
    return this.#adopt(sent, answer.responses[0]?.entries[0], bounds)
  }

  /** Joins only where that means to hold it at once; null where it does not. */
  async enterIfFree(candidate: Candidate, bounds: CallBounds): Promise<Standing | null> {
    let sent = candidate
    const own: Operation = { kind: 'range', key: candidate.key }
    const everybody: Operation = { kind: 'range', ...queueRange(candidate.key) }
    let isFree: Comparison = { ...queueRange(candidate.key), target: 'create', result: 'equal', revision: 0n }
    for (let tries = 0; tries < triesMax; tries += 1) {
      const request = {
        compare: [...this.#absent(candidate), isFree],
        success: [this.#put(candidate)],
        failure: [own, everybody],
      }
      const answer = await this.#etcd.txn(request, { ...bounds, repeatable: true })
      sent = afterRequest(sent, answer)
      const mine = answer.succeeded ? answer.revision : answer.responses[0]?.entries[0]?.createRevision
      // It was put by a try of ours whose answer was lost, under the same condition.
      if (mine !== undefined) return { ...sent, token: mine, listedAt: answer.revision, blockers: null }
      if (blockersOf(candidate.ask.mode, this.#entries(candidate, answer, 1)) !== null) break
      isFree = { ...queueRange(candidate.key), target: 'mod', result: 'less', revision: answer.revision + 1n }
    }
    // It stands nowhere, and must not come to stand there when the queue is free.
    if (sent.mayComeAgain === true) await inDoubt(this.withdraw(sent))
    return null
  }

  /** Reads its own key and the queue anew, in one view; null when the key is gone. */
  async look(standing: Standing, bounds: CallBounds = {}): Promise<Standing | null> {
    const range = this.#lower(standing, { upTo: standing.token - 1n })
    const answer = await this.#etcd.txn(
      { compare: [isStill(standing)], success: [range] },
      { ...bounds, repeatable: true },
    )
    return answer.succeeded ? this.#standing(standing, standing.token, answer, 0) : null
  }

  /** Takes one hold away and lets the next candidate of this process in behind whoever waits; null when it was not held any more. */
  async pass(from: Standing, to: Candidate): Promise<Standing | null> {
    const answer = await this.#etcd.txn({
      compare: [isStill(from), ...this.#absent(to)],
      success: [
        { kind: 'delete', key: from.key },
        this.#put(to),
        this.#lower(to, { own: true }),
        ...(from.mayComeAgain === true ? [this.#withdrawal(from)] : []),
      ],
    })
    return answer.succeeded ? this.#standing(to, answer.revision, answer, 2) : null
  }

  /** A writer becomes a reader where it stands. False when it was not held any more. */
  async makeReader(standing: Standing): Promise<boolean> {
    const reader = { ...standing, ask: { ...standing.ask, mode: { kind: 'read' as const } } }
    const answer = await this.#etcd.txn(
      { compare: [isStill(standing)], success: [this.#put(reader)] },
      { repeatable: true },
    )
    return answer.succeeded
  }

  /** In its own mode: a downgrade whose answer was lost keeps the revision, and has made it a reader. */
  async isHeld({ key, token, ask: { mode } }: Standing): Promise<boolean> {
    const [found] = (await this.#etcd.range({ key })).entries
    return found?.createRevision === token && readEntry(found, lockKind(mode)).mode.kind === mode.kind
  }

  /** True when it was there. */
  async leave(candidate: Candidate, bounds: CallBounds = {}): Promise<boolean> {
    if (candidate.mayComeAgain === true) return this.withdraw(candidate, bounds)
    return (await this.#etcd.delete({ key: candidate.key }, bounds)) > 0
  }

  /** Takes away what may have been put, and what a request that is still under way would put yet. True when it was there. */
  async withdraw(candidate: Candidate, bounds: CallBounds = {}): Promise<boolean> {
    const remove: Operation = { kind: 'delete', key: candidate.key }
    const request = { compare: [], success: [this.#withdrawal(candidate), remove] }
    const answer = await this.#etcd.txn(request, { ...bounds, repeatable: true })
    return (answer.responses[1]?.deleted ?? 0) > 0
  }

  /** Every entry of a kind, or of one name of it, in the order of the queue. */
  async entries(kind: LockKind, name: string | undefined, limit: number): Promise<readonly Entry[]> {
    const from = name === undefined ? `${this.#prefix}${kind}/` : queueOf(this.#prefix, kind, name)
    const query = { key: from, rangeEnd: endOfPrefix(from), newestFirst: false, limit }
    return (await this.#etcd.range(query)).entries.map((entry) => readEntry(entry, kind))
  }

  /** True when that very entry was there. */
  async remove({ key, createRevision }: Entry): Promise<boolean> {
    const isThere: Comparison = { key, target: 'create', result: 'equal', revision: createRevision }
    return (await this.#etcd.txn({ compare: [isThere], success: [{ kind: 'delete', key }] })).succeeded
  }

  async #adopt(candidate: Candidate, own: KeyValue | undefined, bounds: CallBounds): Promise<Standing> {
    if (own === undefined) throw new Error(`The entry ${candidate.key} was withdrawn.`)
    const known = { ...candidate, token: own.createRevision, listedAt: own.modRevision, blockers: null }
    const standing = await inDoubt(this.look(known, bounds))
    if (standing === null) throw new Error(`The entry ${candidate.key} has gone as soon as it came.`)
    return standing
  }

  #standing(candidate: Candidate, token: bigint, answer: TxnResult, at: number): Standing {
    const blockers = blockersOf(candidate.ask.mode, this.#entries(candidate, answer, at))
    return { ...candidate, token, listedAt: answer.revision, blockers }
  }

  #entries(candidate: Candidate, answer: TxnResult, at: number): readonly Entry[] {
    const kind = lockKind(candidate.ask.mode)
    const listed = answer.responses[at]?.entries ?? []
    return listed.filter(({ key }) => key !== candidate.key).map((entry) => readEntry(entry, kind))
  }

  #absent({ key }: Candidate): readonly Comparison[] {
    return [key, withdrawalKey(this.#prefix, key)].map((each) => ({
      key: each,
      target: 'create',
      result: 'equal',
      revision: 0n,
    }))
  }

  #put({ key, leaseId, ask }: Candidate): Operation {
    return { kind: 'put', key, leaseId, value: entryValue(ask.mode, ask.holder) }
  }

  #withdrawal({ key, leaseId }: Candidate): Operation {
    return { kind: 'put', key: withdrawalKey(this.#prefix, key), value: '', leaseId }
  }

  #lower({ key, ask }: Candidate, bound: { upTo?: bigint; own?: boolean }): Operation {
    return { kind: 'range', ...lowerQuery(queueRange(key), ask.mode, bound) }
  }
}

function queueRange(key: string): KeyRange {
  const queue = key.slice(0, key.lastIndexOf('/') + 1)
  return { key: queue, rangeEnd: endOfPrefix(queue) }
}

function isStill({ key, token }: Standing): Comparison {
  return { key, target: 'create', result: 'equal', revision: token }
}

function afterRequest(candidate: Candidate, { mayComeAgain }: TxnResult): Candidate {
  return mayComeAgain === true ? { ...candidate, mayComeAgain } : candidate
}

/** A request behind one that may have put an entry: whatever it fails with, nobody knows that there is none. */
async function inDoubt<Value>(request: Promise<Value>): Promise<Value> {
  try {
    return await request
  } catch (cause) {
    throw new EtcdError('unknown', { subject: 'an entry in a queue', why: messageOf(cause), cause })
  }
}
