/** One pattern as the bench runs it. Everything that differs from pattern to pattern stands in the pattern's own file. */
import type { Branch, Initiator } from 'lockstep'
import { type Answer, type Requests, requireAnswer } from './requests.ts'

export type PatternName = 'saga' | 'tcc' | 'message-1' | 'message-2'

/** When a transaction counts as answered: once its decision is durable, or once it has ended. */
export type Until = 'decided' | 'final'

/** By the protocol alone, as a program in any language would. */
export interface ByProtocol {
  readonly coordinator: Requests
  /** For what the initiator sends to the participants itself. */
  readonly business: Requests
  readonly businessUrl: string
  readonly until: Until
}

/** By the library, whether its coordinator is in this process or elsewhere. The participants are `bank.<name>`. */
export interface ByLibrary {
  readonly coordinator: Initiator<Branch>
  readonly until: Until
  /** The local transaction of a message. */
  readonly local: (branch: Branch) => Promise<unknown>
}

/** Runs one transaction and throws unless it was answered as it should. Answers the version of its row, 0 where the way shows none. */
export type RunOne = (id: string) => Promise<number>

export interface BenchPattern {
  readonly name: PatternName
  readonly title: string
  /** What can be waited for. A saga is decided when it has ended. */
  readonly untils: readonly Until[]
  /** Names of the participants. */
  readonly participants: readonly string[]
  byProtocol(parties: ByProtocol): RunOne
  byLibrary(parties: ByLibrary): RunOne
  /** What the coordinator calls, and upon which request: for the bare relay that makes the same calls and does nothing else. */
  readonly relay: Relay
  /** Durable commits of one transaction that runs alone. */
  readonly commitsAlone: CommitsAlone
}

export interface Relay {
  readonly on: 'begin' | 'commit'
  readonly paths: readonly string[]
  /** True: all at once; false: one after the other. */
  readonly together: boolean
}

export interface CommitsAlone {
  /** Of the coordinator, which the initiator waits for until the decision is answered. */
  readonly waited: number
  /** Of the initiator's own database. */
  readonly local: number
  /** Of the coordinator until the end. */
  readonly all: number
}

/** What every operation is given. */
export function inputOf(position: number): { readonly account: string; readonly amount: number } {
  return { account: `account-${position}`, amount: 25 }
}

/** Long enough for any run: who waits for the end is answered by the end. */
export const waitMs = 10_000

export function commitPath(id: string, until: Until): string {
  return `/v1/transactions/${id}/commit${until === 'final' ? `?wait=${waitMs}` : ''}`
}

export function waitOption(until: Until): { readonly wait?: number } {
  return until === 'final' ? { wait: waitMs } : {}
}

/** A decision that is answered without its end may have ended all the same. */
export function requireDecision(answer: Answer, until: Until): Answer {
  const isDecided = until === 'decided' && answer.status === 202
  return isDecided ? requireAnswer(answer, 202, 'committing') : requireAnswer(answer, 200, 'committed')
}

export function requireStatus(id: string, status: string, until: Until): void {
  if (status === 'committed' || (until === 'decided' && status === 'committing')) return
  throw new Error(`${id} ended as ${status}.`)
}
