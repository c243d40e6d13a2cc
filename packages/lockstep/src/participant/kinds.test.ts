import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { call } from '../../test/barrier-call.ts'
import { memoryDatabase } from '../adapters/memory-database.ts'
import type { Json, Outcome } from '../ports/index.ts'
import type { Branch } from './branch.ts'
import { participant } from './participant.ts'
import { refuse } from './refuse.ts'

const Seat = z.object({ seat: z.string() })
const input = { seat: '7a' }
const held: Outcome = { kind: 'done', output: { hold: 'h-t1' } }

function seats(options: { readonly cancelOnEmpty?: boolean } = {}) {
  const db = memoryDatabase()
  const told: unknown[] = []
  const hold = participant('seats.hold', {
    ...options,
    input: Seat,
    try: ({ seat }, branch) =>
      branch.transact(db, (tx) => {
        if (tx.get('seat', seat) !== undefined) refuse({ code: 'taken' })
        tx.set('seat', seat, 'held')
        return { hold: `h-${branch.transaction}` }
      }),
    confirm: ({ seat }, branch) =>
      branch.transact(db, (tx) => {
        told.push(['confirm', branch.output, branch.empty])
        tx.set('seat', seat, 'sold')
      }),
    cancel: ({ seat }, branch) =>
      branch.transact(db, (tx) => {
        told.push(['cancel', branch.output, branch.empty])
        tx.delete('seat', seat)
      }),
  })
  return { db, hold, told, seat: () => db.read('seat').get('7a') }
}

describe('a TCC participant', () => {
  it('confirms once what was tried, and is told what the try returned', async () => {
    const { hold, told, seat } = seats()
    expect([await call(hold, 'try', input), await call(hold, 'try', input), seat()]).toEqual([held, held, 'held'])
    for (let time = 0; time < 2; time += 1) {
      expect(await call(hold, 'confirm', input)).toEqual({ kind: 'done', output: null })
    }
    expect([seat(), told]).toEqual(['sold', [['confirm', { hold: 'h-t1' }, false]]])
    expect(await call(hold, 'cancel', input)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
    expect(seat()).toBe('sold')
  })

  it('cancels once what was tried, and never confirms it after that', async () => {
    const { hold, told, seat } = seats()
    await call(hold, 'try', input)
    for (let time = 0; time < 2; time += 1) {
      expect(await call(hold, 'cancel', input)).toEqual({ kind: 'done', output: null })
    }
    expect([seat(), told]).toEqual([undefined, [['cancel', { hold: 'h-t1' }, false]]])
    for (const operation of ['confirm', 'try'] as const) {
      expect(await call(hold, operation, input)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
    }
  })

  it('seata-go #685: a cancel without a try ends in one call, and its late try is refused', async () => {
    const { hold, told, seat } = seats()
    expect(await call(hold, 'cancel', input)).toEqual({ kind: 'done', output: null })
    expect(await call(hold, 'try', input)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
    expect([seat(), told]).toEqual([undefined, []])
  })

  it('says try-missing for a confirm without a try, and leaves nothing that would shut the try out', async () => {
    const { db, hold, told } = seats()
    expect(await call(hold, 'confirm', input)).toMatchObject({ kind: 'unknown', code: 'try-missing' })
    expect([db.read('lockstep_barrier').size, told]).toEqual([0, []])
    expect(await call(hold, 'try', input)).toEqual(held)
  })

  it('refuses a try with input that does not fit, and cancels it by doing nothing', async () => {
    for (const options of [{}, { cancelOnEmpty: true }]) {
      const { hold, told } = seats(options)
      const bad = { seat: 7 }
      expect(await call(hold, 'try', bad)).toMatchObject({
        kind: 'refused',
        reason: { code: 'invalid-input', issues: [{ path: '/seat' }] },
      })
      expect(await call(hold, 'cancel', bad)).toEqual({ kind: 'done', output: null })
      expect(await call(hold, 'try', bad)).toMatchObject({ kind: 'refused' })
      expect(told).toEqual([])
    }
  })

  it.each(['confirm', 'cancel'] as const)(
    'never runs a %s whose try ran under a schema that its input no longer fits',
    async (operation) => {
      const db = memoryDatabase()
      const ran: string[] = []
      const note = (what: string) => (_input: unknown, branch: Branch) => branch.transact(db, () => void ran.push(what))
      const [before, after] = [Seat, Seat.extend({ row: z.number() })].map((schema) =>
        participant('seats.hold', {
          input: schema,
          try: note('try'),
          confirm: note('confirm'),
          cancel: note('cancel'),
        }),
      )
      if (before === undefined || after === undefined) throw new Error('two participants')
      await call(before, 'try', input)
      expect(await call(after, operation, input)).toMatchObject({
        kind: 'unknown',
        error: expect.stringContaining('mend the schema'),
      })
      expect(ran).toEqual(['try'])
      expect(await call(before, operation, input)).toEqual({ kind: 'done', output: null })
      // A repeat needs no business, so it needs no fitting input.
      expect(await call(after, operation, input)).toEqual({ kind: 'done', output: null })
      expect(ran).toEqual(['try', operation])
    },
  )

  it('without a barrier does not confirm what no longer fits', async () => {
    const ran: string[] = []
    const free = participant('seats.free', {
      input: Seat,
      barrier: false,
      try: () => ({ ok: true }),
      confirm: () => ran.push('confirm'),
      cancel: () => ran.push('cancel'),
    })
    expect(await call(free, 'try', input)).toEqual({ kind: 'done', output: { ok: true } })
    expect(await call(free, 'confirm', {})).toMatchObject({ kind: 'unknown', error: expect.stringContaining('mend') })
    expect([await call(free, 'confirm', input), ran]).toEqual([{ kind: 'done', output: 1 }, ['confirm']])
  })

  it('checks the output of the try, and not what comes later', async () => {
    const db = memoryDatabase()
    const shaped = participant('seats.shaped', {
      input: z.number(),
      output: z.object({ n: z.number().max(5) }),
      try: (n, branch) => branch.transact(db, () => ({ n })),
      confirm: (_n, branch) => branch.transact(db, () => 'free text'),
      cancel: (_n, branch) => branch.transact(db, () => 'free text'),
    })
    expect(await call(shaped, 'try', 3)).toEqual({ kind: 'done', output: { n: 3 } })
    expect(await call(shaped, 'confirm', 3)).toEqual({ kind: 'done', output: 'free text' })
    expect(await call(shaped, 'try', 9, { transaction: 't2' })).toMatchObject({
      kind: 'unknown',
      error: expect.stringMatching(/schema.*Mend the try/),
    })
  })

  it('tells every operation that does its work outside the barrier', async () => {
    const careless = participant('seats.careless', {
      input: Seat,
      try: () => null,
      confirm: () => null,
      cancel: () => null,
    })
    for (const operation of ['try', 'confirm', 'cancel'] as const) {
      expect(await call(careless, operation, input)).toMatchObject({
        kind: 'unknown',
        error: expect.stringContaining(`LOCKSTEP_BARRIER_NOT_USED: seats.careless ${operation}`),
      })
    }
    expect(await call(careless, 'action', input)).toMatchObject({ kind: 'unknown' })
  })
})

describe('a try that also works outside its database', () => {
  it('Seata #6374, #4530, #4777: is cancelled although it threw and lost its row, and the cancel is told so', async () => {
    const { db, told } = seats()
    const outside: string[] = []
    const booked = participant('seats.booked', {
      input: Seat,
      cancelOnEmpty: true,
      try: async ({ seat }, branch): Promise<null> => {
        await branch.transact(db, async (tx) => {
          tx.set('seat', seat, 'held')
          outside.push(seat)
          throw new Error('the booking system hung up')
        })
        return null
      },
      confirm: () => null,
      cancel: ({ seat }, branch) =>
        branch.transact(db, () => {
          told.push([branch.empty, branch.output])
          if (branch.empty) outside.splice(outside.indexOf(seat), 1)
        }),
    })
    expect(await call(booked, 'try', input)).toEqual({ kind: 'unknown', error: 'the booking system hung up' })
    expect([outside, db.read('lockstep_barrier').size]).toEqual([['7a'], 0])
    for (let time = 0; time < 2; time += 1) {
      expect(await call(booked, 'cancel', input)).toEqual({ kind: 'done', output: null })
    }
    expect([outside, told]).toEqual([[], [[true, undefined]]])
    expect(await call(booked, 'try', input)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
  })

  it('is cancelled as ever when its row is there', async () => {
    const { hold, told } = seats({ cancelOnEmpty: true })
    await call(hold, 'try', input)
    expect(await call(hold, 'cancel', input)).toEqual({ kind: 'done', output: null })
    expect(told).toEqual([['cancel', { hold: 'h-t1' }, false]])
  })
})

describe('a receiver of messages', () => {
  const db = memoryDatabase()
  const award = participant('points.award', {
    input: z.object({ points: z.number() }),
    deliver: ({ points }, branch) =>
      branch.transact(db, (tx) => {
        const sum = Number(tx.get('points', 'anna') ?? 0) + points
        tx.set('points', 'anna', sum)
        return { sum }
      }),
  })

  it('takes a message in once, and answers a redelivery what it answered before', async () => {
    const first = await call(award, 'deliver', { points: 5 })
    expect([first, await call(award, 'deliver', { points: 5 })]).toEqual([{ kind: 'done', output: { sum: 5 } }, first])
    expect(await call(award, 'deliver', { points: 5 }, { transaction: 't2' })).toMatchObject({ output: { sum: 10 } })
    expect(await call(award, 'deliver', { points: 6 })).toEqual({ kind: 'refused', reason: { code: 'id-reused' } })
  })

  it('refuses a message that it cannot read', async () => {
    expect(await call(award, 'deliver', {}, { transaction: 't3' })).toMatchObject({ reason: { code: 'invalid-input' } })
    expect(await call(award, 'check', {})).toMatchObject({
      kind: 'unknown',
      error: expect.stringContaining('no operation'),
    })
  })
})

it('dtmcli-node: what is thrown inside transact reaches the caller, and nothing is kept', async () => {
  const seen: unknown[] = []
  const db = memoryDatabase()
  const failing = async (branch: Branch): Promise<Json> => {
    const transacted = branch.transact(db, (tx): Json => {
      tx.set('t', 'k', 1)
      throw new RangeError('no such account')
    })
    return transacted.catch((error: unknown) => {
      seen.push(error)
      return 'swallowed'
    })
  }
  const one = participant('bank-a.one', {
    input: z.null(),
    try: (_input, branch) => failing(branch),
    confirm: () => null,
    cancel: () => null,
  })
  expect(await call(one, 'try', null)).toEqual({ kind: 'unknown', error: 'no such account' })
  expect(seen).toEqual([expect.any(RangeError)])
  expect([db.read('t').size, db.read('lockstep_barrier').size]).toEqual([0, 0])
})

it('dtm #559, #556, #34: a refusal and a closed branch are answers, not crashes: nothing is logged', async () => {
  const { hold } = seats()
  const logged: string[] = []
  const outcomes = [
    await call(hold, 'try', input, { logged }),
    await call(hold, 'try', input, { logged, transaction: 't2' }),
    await call(hold, 'cancel', input, { logged }),
    await call(hold, 'try', input, { logged }),
    await call(hold, 'try', {}, { logged }),
    await call(hold, 'confirm', input, { logged, transaction: 't3' }),
  ].map((outcome) => outcome.kind)
  expect([outcomes, logged]).toEqual([['done', 'refused', 'done', 'refused', 'refused', 'unknown'], []])
})

it('knows its kind, and refuses operations that make none', () => {
  const base = { input: z.null() }
  const nothing = (): null => null
  const kinds = [
    participant('a.a', { ...base, action: nothing }),
    participant('a.t', { ...base, try: nothing, confirm: nothing, cancel: nothing }),
    participant('a.d', { ...base, deliver: nothing }),
  ].map(({ kind, operations }) => [kind, ...operations])
  expect(kinds).toEqual([
    ['action', 'action', 'compensate'],
    ['tcc', 'try', 'confirm', 'cancel'],
    ['deliver', 'deliver'],
  ])
  const untyped = participant as unknown as (name: string, options: object) => unknown
  for (const wrong of [
    {},
    { try: nothing, confirm: nothing },
    { try: nothing, cancel: nothing },
    { action: nothing, deliver: nothing },
    { action: nothing, try: nothing, confirm: nothing, cancel: nothing },
  ]) {
    expect(() => untyped('a.x', { ...base, ...wrong })).toThrowError(
      expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION', message: expect.stringContaining('a.x') }),
    )
  }
})
