import type { ClaimFigures } from '../claims/claim-figures.ts'
import type { IdleFigures } from '../idle/measure-idle.ts'
import type { JournalFigures } from '../journal/measure-journal.ts'
import type { Machine } from '../measuring/machine.ts'
import type { HttpFigures } from '../saga/measure-http.ts'
import type { InProcessFigures } from '../saga/measure-in-process.ts'

export interface Target {
  readonly target: string
  readonly met: boolean
  readonly value: string
  /** Counts do not depend on how busy the machine is: a missed one is a defect and fails the run. */
  readonly kind: 'ratio' | 'count'
}

/** Everything of one run. A part that was not asked for is absent. */
export interface BenchRecord {
  readonly date: string
  readonly quick: boolean
  readonly machine: Machine
  readonly settings: { readonly [what: string]: string }
  /** Who was measured beside us. */
  readonly peers: string
  readonly journal?: readonly JournalFigures[]
  readonly inProcess?: readonly InProcessFigures[]
  readonly http?: readonly HttpFigures[]
  readonly claims?: readonly ClaimFigures[]
  readonly idle?: IdleFigures
  readonly targets: readonly Target[]
}

export type Figures = Pick<BenchRecord, 'journal' | 'inProcess' | 'http' | 'claims' | 'idle'>

export const settings = {
  sqlite: 'journal_mode=wal, synchronous=full',
  postgres: 'private server on loopback, fsync=on, synchronous_commit=on, max_wal_size=2GB, shared_buffers=256MB',
  load: 'closed loop, keep-alive, one saga of two steps per request, the answer comes when it has ended',
  figures: 'median of the runs, with the lowest and the highest; three digits',
}

export const peers =
  'none in this run: each figure is held against a raw limit instead, the store written without a coordinator and the same HTTP without Lockstep'
