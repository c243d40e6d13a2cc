import fc from 'fast-check'
import { awkwardIds, awkwardTexts } from './payload-cases.ts'

/**
 * Commands as plain data. They name rows by their place in `awkwardIds` and compares by their distance from the truth,
 * so that a shortened sequence still means something.
 */
export interface EntryPlan {
  readonly kind: 'insert' | 'advance' | 'take' | 'mark'
  readonly id: number
  /** What the compare is off by; 0 matches. */
  readonly epochOff: number
  readonly versionOff: number
  readonly shape: 'run' | 'park' | 'finish'
  readonly owner: number
  readonly nextAt: 'overdue' | 'due' | 'later' | 'none'
  readonly order: number
  readonly hold: boolean
  readonly operator: 'keep' | 'hold' | 'resume'
  readonly needs: readonly number[]
  readonly labels: readonly (readonly [number, number])[]
  readonly text: number
  readonly attempts: readonly number[]
  readonly audit: boolean
  /** Whether an advance or a take brings work, and whether that can be stored. */
  readonly work: 'none' | 'grown' | 'broken'
  readonly broken: boolean
}

export type Command =
  | { readonly kind: 'commit'; readonly writer: number; readonly entries: readonly EntryPlan[] }
  | { readonly kind: 'repeat'; readonly back: number }
  | {
      readonly kind: 'claim'
      readonly owner: number
      readonly services: readonly number[]
      readonly limit: number
      readonly missing: boolean
      readonly except: readonly number[] | null
    }
  | { readonly kind: 'heartbeat'; readonly owner: number; readonly services: readonly number[]; readonly live: boolean }
  | { readonly kind: 'resign'; readonly owner: number }
  | {
      readonly kind: 'list'
      readonly limit: number
      readonly held: boolean | null
      readonly status: number | null
      readonly pattern: number | null
      readonly label: readonly [number, number] | null
      readonly since: number | null
      readonly until: number | null
    }
  | { readonly kind: 'retire'; readonly endedBefore: number; readonly forgetBefore: number; readonly limit: number }

export const owners = ['owner-a', 'owner-b', 'owner-c'] as const
export const services = ['bank', 'stock', 'mail'] as const
export const labelValues = ['x', 'X', 'xx'] as const
export const labelNames = ['tenant', 'Tenant'] as const

const index = (list: readonly unknown[]): fc.Arbitrary<number> => fc.nat({ max: list.length - 1 })
const subset = (list: readonly unknown[]): fc.Arbitrary<number[]> => fc.subarray([...list.keys()])
const label = fc.tuple(index(labelNames), index(labelValues))
const rarely = fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0)
/** Mostly 0: a sequence in which most compares fail tests nothing else. */
const offset = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-1, 1) })

export const largeText = awkwardTexts.length

const entry: fc.Arbitrary<EntryPlan> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constant('insert' as const) },
    { weight: 4, arbitrary: fc.constant('advance' as const) },
    { weight: 2, arbitrary: fc.constantFrom('take' as const, 'mark' as const) },
  ),
  id: index(awkwardIds),
  epochOff: offset,
  versionOff: offset,
  shape: fc.constantFrom('run', 'run', 'park', 'finish'),
  owner: index(owners),
  nextAt: fc.constantFrom('overdue', 'due', 'due', 'later', 'none'),
  order: fc.nat({ max: 5 }),
  hold: rarely,
  operator: fc.constantFrom('keep', 'hold', 'resume'),
  needs: subset(services),
  labels: fc.uniqueArray(label, { maxLength: 2, selector: ([name]) => name }),
  text: fc.oneof({ weight: 60, arbitrary: index(awkwardTexts) }, { weight: 1, arbitrary: fc.constant(largeText) }),
  attempts: fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 2 }),
  audit: rarely,
  work: fc.oneof(
    { weight: 24, arbitrary: fc.constant('none' as const) },
    { weight: 12, arbitrary: fc.constant('grown' as const) },
    { weight: 1, arbitrary: fc.constant('broken' as const) },
  ),
  broken: fc.integer({ min: 0, max: 39 }).map((draw) => draw === 0),
})

const commit: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant('commit'),
  writer: index(owners),
  entries: fc.uniqueArray(entry, { minLength: 1, maxLength: 6, selector: (plan) => plan.id }),
})

const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 2, nil: null })
const moment = fc.nat({ max: 6 })

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: commit },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('repeat'), back: fc.nat({ max: 2 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('claim'),
      owner: index(owners),
      services: subset(services),
      limit: fc.integer({ min: 1, max: 4 }),
      missing: fc.boolean(),
      except: fc.option(subset(awkwardIds), { freq: 2, nil: null }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('heartbeat'),
      owner: index(owners),
      services: subset(services),
      live: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resign'), owner: index(owners) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('list'),
      limit: fc.integer({ min: 1, max: 5 }),
      held: nullable(fc.boolean()),
      status: nullable(fc.nat({ max: 1 })),
      pattern: nullable(fc.nat({ max: 1 })),
      label: nullable(label),
      since: nullable(moment),
      until: nullable(moment),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('retire'),
      endedBefore: moment,
      forgetBefore: moment,
      limit: fc.integer({ min: 1, max: 3 }),
    }),
  },
)
