/** What a holder knows of itself, and the checkers on histories that must be refused. */
import { describe, expect, it } from 'vitest'
import { type Held, heldIn, sectionsIn } from './histories.ts'
import type { LockEvent } from './journal.ts'
import { checkOrder, checkReadWrite, heldTwice, judge } from './verdicts.ts'

type Told = LockEvent extends infer Event ? (Event extends LockEvent ? Omit<Event, 'id'> : never) : never

function lived(events: readonly Told[], endings: readonly number[] = []): Held | undefined {
  return heldIn({ process: 'w', events: events.map((event) => ({ id: 'w-1', ...event }) as LockEvent), endings })[0]
}

const asked: Told = { atMs: 0, e: 'asked', kind: 'mutex', key: 'stock', queues: true }
const granted: Told = { atMs: 10, e: 'granted', token: '7', untilMs: 1_000 }

describe('a holder holds', () => {
  it.each<[string, readonly Told[], readonly number[], number]>([
    ['until it begins to give the lease back', [{ atMs: 50, e: 'releasing', leftMs: 950 }], [], 50],
    ['until it is told of the loss', [{ atMs: 60, e: 'lost', why: '' }], [], 60],
    [
      'until the end that it can compute, when it was stopped beyond it',
      [{ atMs: 3_000, e: 'releasing', leftMs: 0 }],
      [],
      1_000,
    ],
    [
      'until the last end that was proven to it',
      [
        { atMs: 500, e: 'proven', untilMs: 1_500 },
        { atMs: 3_000, e: 'lost', why: '' },
      ],
      [],
      1_500,
    ],
    ['until it was killed', [], [300], 300],
    ['no longer than its time, when it was killed after that', [], [2_000], 1_000],
    [
      'when it looks and finds time left, whatever it knew before',
      [
        { atMs: 2_000, e: 'looked', leftMs: 5 },
        { atMs: 2_001, e: 'lost', why: '' },
      ],
      [],
      2_000,
    ],
    ['until its time was over, when nothing more is known of it', [], [], 1_000],
  ])('%s', (_name, events, endings, endMs) => {
    expect(lived([asked, granted, ...events], endings)?.endMs).toBe(endMs)
  })

  it('and nobody does who was refused', () => {
    expect(lived([asked, { atMs: 10, e: 'refused', how: 'timed out' }])).toBeUndefined()
  })
})

it.each<[string, readonly Told[], object[]]>([
  ['written', [{ atMs: 40, e: 'wrote', accepted: true }], [{ outcome: 'ok', startMs: 20, endMs: 40, value: 3 }]],
  ['refused at the fence', [{ atMs: 40, e: 'wrote', accepted: false }], [{ outcome: 'failed' }]],
  ['cut off by a kill', [], [{ outcome: 'unknown', endMs: null, value: 3 }]],
])('a section that was %s', (_name, end, expected) => {
  const claimed: Told = { atMs: 30, e: 'claimed', value: 3, sentMs: 20 }
  const events = [asked, granted, claimed, ...end].map((event) => ({ id: 'w-1', ...event }) as LockEvent)
  expect(sectionsIn({ process: 'w', events, endings: [] })).toMatchObject(expected)
})

function held(process: string, over: Partial<Held>): Held {
  const [grantedMs, endMs] = [over.grantedMs ?? 0, over.endMs ?? 0]
  const base = { kind: 'mutex', key: 'stock', queues: true, leftMs: 900, askedMs: grantedMs, token: BigInt(grantedMs) }
  return { process, id: process, ...base, grantedMs, endMs, ...over } as Held
}

describe('read-write', () => {
  const reader = held('a', { kind: 'read', grantedMs: 10, endMs: 50 })
  it.each([
    ['readers together', 'read', 20, true],
    ['a writer among readers', 'write', 20, false],
    ['a writer after them', 'write', 50, true],
  ] as const)('%s', (_name, kind, grantedMs, valid) => {
    const other = held('b', { kind, grantedMs, endMs: 70 })
    expect(checkReadWrite([reader, other]).valid).toBe(valid)
  })

  it('a reader under a writer is a violation', () => {
    const writer = held('b', { kind: 'write', grantedMs: 10, endMs: 40 })
    expect(checkReadWrite([writer, held('a', { kind: 'read', grantedMs: 30, endMs: 50 })]).valid).toBe(false)
  })
})

describe('first come, first served', () => {
  const early = held('a', { askedMs: 0, grantedMs: 2_000, endMs: 2_001 })
  const overtaker = held('b', { askedMs: 500, grantedMs: 1_000, endMs: 1_001 })
  const always = () => true
  const before = ['a', 'b'].flatMap((process) =>
    [-9_000, -8_000].map((grantedMs) => held(process, { grantedMs, endMs: grantedMs + 1 })),
  )
  it('who was overtaken in peace shows it', () => {
    expect(checkOrder([...before, early, overtaker], { disturbances: [], alone: always }).valid).toBe(false)
  })

  it('who was disturbed meanwhile, or shortly before, shows nothing', () => {
    for (const worker of ['a', null])
      expect(
        checkOrder([...before, early, overtaker], {
          disturbances: [{ worker, fromMs: -900, toMs: -800 }],
          alone: always,
        }).valid,
      ).toBe('unknown')
  })

  it('who had a queue of its own in front shows nothing', () => {
    expect(
      checkOrder([...before, early, overtaker], { disturbances: [], alone: (process) => process === 'b' }).valid,
    ).toBe('unknown')
  })

  it('who still had to connect shows nothing', () => {
    expect(checkOrder([early, overtaker], { disturbances: [], alone: always }).valid).toBe('unknown')
  })

  it('a history in which nobody waited behind somebody is unknown', () => {
    const next = held('b', { askedMs: 3_000, grantedMs: 3_001, endMs: 3_002 })
    expect(checkOrder([...before, early, next], { disturbances: [], alone: always }).valid).toBe('unknown')
  })
})

/** All of them at once. */
function sharedBy(kind: 'permit' | 'read' | 'write', count: number): Held[] {
  return Array.from({ length: count }, (_, at) =>
    held(`p${at}`, { kind, key: 'shared', grantedMs: 50 + at, endMs: 90, token: BigInt(50 + at) }),
  )
}

describe('the verdicts', () => {
  const two = [held('a', { grantedMs: 10, endMs: 20 }), held('b', { grantedMs: 30, endMs: 40 })]
  const add = (process: string, value: number, startMs: number) =>
    ({ process, kind: 'add', key: 'stock', startMs, endMs: startMs + 5, outcome: 'ok', value }) as const
  const evidence = {
    held: two,
    sections: [add('a', 0, 10), add('b', 1, 30)],
    effects: [{ key: 'stock', token: 10n, accepted: true }],
    lost: 0,
    refused: 1,
    permits: 2,
    disturbances: [],
    alone: () => true,
  }
  const promised = { fair: false, sharing: false, exclusive: true }
  const brokenIn = (over: object, promises = promised) =>
    judge({ ...evidence, ...over }, promises).flatMap(({ promise, verdict, isBinding }) =>
      isBinding && verdict.valid !== true ? [promise] : [],
    )

  it('a good history breaks nothing', () => {
    expect(brokenIn({})).toEqual([])
  })

  it.each([
    ['two holders', { held: [held('a', { grantedMs: 10, endMs: 31 }), two[1]] }, 'one holder'],
    [
      'a grant whose time was over',
      { held: [held('a', { grantedMs: 10, endMs: 20, leftMs: 0 }), two[1]] },
      'valid when granted',
    ],
    ['a token twice', { held: two.map((one) => ({ ...one, token: 7n })) }, 'growing tokens'],
    ['a smaller token later', { held: two.map((one, at) => ({ ...one, token: BigInt(9 - at) })) }, 'growing tokens'],
    [
      'a smaller token for a later writer',
      { held: [...two, ...two.map((one, at) => ({ ...one, kind: 'write', key: 'page', token: BigInt(9 - at) }))] },
      'growing tokens',
    ],
    ['a new token refused', { effects: [{ key: 'stock', token: 10n, accepted: false }] }, 'fence'],
    ['an old token accepted', { effects: [...evidence.effects, { key: 'stock', token: 9n, accepted: true }] }, 'fence'],
    [
      'a section that read what was no longer there',
      { sections: [add('a', 0, 10), add('b', 0, 30)] },
      'atomic sections',
    ],
    ['a lost update', { lost: 1 }, 'nothing lost behind the fence'],
    ['no holder that came too late', { refused: 0 }, 'old holders refused'],
  ])('%s breaks its promise', (_name, over, promise) => {
    expect(brokenIn(over)).toEqual([promise])
  })

  it.each([
    ['a third permit of two', sharedBy('permit', 3), 'permits'],
    ['a reader beside a writer', [...sharedBy('write', 1), ...sharedBy('read', 1)], 'readers or a writer'],
    ['two writers', sharedBy('write', 2), 'readers or a writer'],
  ] as const)('%s breaks its promise', (_name, more, promise) => {
    const peaceful = (['permit', 'read'] as const).flatMap((kind) => two.map((one) => ({ ...one, kind, key: kind })))
    const shared = { ...promised, sharing: true }
    expect(brokenIn({ held: [...two, ...peaceful] }, shared)).toEqual([])
    expect(brokenIn({ held: [...two, ...peaceful, ...more] }, shared)).toEqual([promise])
  })

  it('an overtaker breaks its promise', () => {
    const early = ['a', 'b'].flatMap((process, at) =>
      [100, 200].map((ms) => held(process, { grantedMs: ms + at, endMs: ms + at })),
    )
    const late = [
      held('a', { askedMs: 1_000, grantedMs: 4_000, endMs: 4_001 }),
      held('b', { askedMs: 2_000, grantedMs: 3_000, endMs: 3_001 }),
    ]
    expect(brokenIn({ held: [...early, ...late] }, { ...promised, fair: true })).toEqual(['first come, first served'])
  })

  it('where exclusion is not promised, a second holder is counted and breaks nothing', () => {
    const both = [held('a', { grantedMs: 10, endMs: 31 }), held('b', { grantedMs: 30, endMs: 40 })]
    expect(brokenIn({ held: both }, { ...promised, exclusive: false })).toEqual([])
    expect(heldTwice(both)).toBe(1)
  })

  it('where servers forget, a run in which nobody saw it is no success', () => {
    expect(brokenIn({}, { ...promised, exclusive: false })).toEqual(['two holders seen'])
  })

  it('a history without anything is no success', () => {
    expect(brokenIn({ held: [], sections: [], effects: [] })).toHaveLength(6)
  })
})
