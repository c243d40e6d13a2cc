import type { ClaimFigures } from '../claims/claim-figures.ts'
import type { Extent } from '../extent.ts'
import type { IdleFigures } from '../idle/measure-idle.ts'
import type { JournalFigures } from '../journal/measure-journal.ts'
import type { LocksFigures } from '../locks/figures.ts'
import type { Machine } from '../measuring/machine.ts'
import type { HttpFigures } from '../patterns/measure-http.ts'
import type { AloneFigures, InProcessFigures } from '../patterns/measure-in-process.ts'
import type { UndecidedFigures } from '../undecided/measure-undecided.ts'

export interface Target {
  readonly target: string
  readonly met: boolean
  readonly value: string
  /** Counts do not depend on how busy the machine is: a missed one is a defect and fails the run. */
  readonly kind: 'ratio' | 'rate' | 'count'
}

/** Everything of one run. A part that was not asked for is absent. */
export interface BenchRecord {
  readonly date: string
  readonly quick: boolean
  readonly extent: Extent
  readonly machine: Machine
  readonly settings: { readonly [what: string]: string }
  /** Who was measured beside us. */
  readonly peers: string
  readonly journal?: readonly JournalFigures[]
  readonly alone?: readonly AloneFigures[]
  readonly inProcess?: readonly InProcessFigures[]
  readonly http?: readonly HttpFigures[]
  readonly undecided?: readonly UndecidedFigures[]
  readonly claims?: readonly ClaimFigures[]
  readonly idle?: IdleFigures
  readonly locks?: LocksFigures
  readonly targets: readonly Target[]
}

export type Figures = Pick<
  BenchRecord,
  'journal' | 'alone' | 'inProcess' | 'http' | 'undecided' | 'claims' | 'idle' | 'locks'
>

/** Several parts measure patterns, and their figures stand in the same lists. */
export function together(first: Figures, second: Figures): Figures {
  const { alone = [], inProcess = [], http = [] } = first
  return {
    ...first,
    ...second,
    alone: [...alone, ...(second.alone ?? [])],
    inProcess: [...inProcess, ...(second.inProcess ?? [])],
    http: [...http, ...(second.http ?? [])],
  }
}

export const settings = {
  sqlite: 'journal_mode=wal, synchronous=full',
  postgres: 'private server on loopback, fsync=on, synchronous_commit=on, max_wal_size=2GB, shared_buffers=256MB',
  load: 'closed loop, keep-alive; a transaction is answered when it has ended, `decided` when its decision is durable',
  figures: 'median of the runs, with the lowest and the highest; three digits',
}

export const peers =
  'locks: the libraries named in their tables. Elsewhere none: each figure is held against a raw limit instead, the store written without a coordinator and the same HTTP without Lockstep'
