import type { LockMode } from 'lockstep/ports'
import { expect, test } from 'vitest'
import { blockersOf } from './admission.ts'

const mutex: LockMode = { kind: 'mutex' }
const read: LockMode = { kind: 'read' }
const write: LockMode = { kind: 'write' }
const permit: LockMode = { kind: 'permit', of: 2 }

test.each<[what: string, mode: LockMode, before: LockMode[], blockers: unknown]>([
  ['the first of a mutex holds', mutex, [], null],
  ['the third of a mutex waits for the second alone', mutex, [mutex, mutex], { keys: ['k1'], needed: 1 }],
  ['readers share', read, [read, read], null],
  ['a reader waits for the last writer before it', read, [write, read, write, read], { keys: ['k2'], needed: 1 }],
  ['a writer waits for readers as well', write, [write, read], { keys: ['k1'], needed: 1 }],
  ['a permit is granted while fewer are out', permit, [permit], null],
  [
    'a permit waits until enough of all before it have left',
    permit,
    [permit, permit, permit],
    { keys: ['k0', 'k1', 'k2'], needed: 2 },
  ],
])('%s', (_what, mode, before, blockers) => {
  const entries = before.map((each, index) => ({
    key: `k${index}`,
    mode: each,
    holder: null,
    createRevision: BigInt(index + 1),
    leaseId: 1n,
  }))
  expect(blockersOf(mode, entries)).toEqual(blockers)
})
