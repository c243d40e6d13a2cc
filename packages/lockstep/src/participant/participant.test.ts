import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../adapters/memory-database.ts'
import { nodeEnvironment } from '../environment/node.ts'
import type { Json, Operation, Outcome, ParticipantDefinition } from '../ports/index.ts'
import { silentLogger } from '../ports/index.ts'
import type { Branch } from './branch.ts'
import { participant } from './participant.ts'
import { askAgain, refuse } from './refuse.ts'

const day = 86_400_000
const Transfer = z.object({ account: z.string(), amount: z.number().positive() })

interface Run {
  readonly transaction?: string
  readonly begunAt?: number
  readonly logged?: string[]
}

function run(
  definition: ParticipantDefinition,
  operation: Operation,
  input: Json,
  options: Run = {},
): Promise<Outcome> {
  const { transaction = 't1', begunAt = Date.now(), logged = [] } = options
  const call = { store: '1f2e3d4c', transaction, branch: 'debit', attempt: 1, begunAt, traceparent: null }
  return definition.run(operation, input, call, {
    ...nodeEnvironment,
    databases: [memoryBarrier()],
    logger: { ...silentLogger, error: (_fields, message) => void logged.push(message) },
    barrierRetentionMs: 30 * day,
  })
}

function bank() {
  const db = memoryDatabase()
  const outputs: unknown[] = []
  const debit = participant('bank-a.debit', {
    input: Transfer,
    action: (input, branch) =>
      branch.transact(db, (tx) => {
        const balance = Number(tx.get('account', input.account) ?? 100) - input.amount
        tx.set('account', input.account, balance)
        if (balance < 0) refuse({ code: 'insufficient-funds' })
        return { receipt: `r-${branch.transaction}` }
      }),
    compensate: (input, branch) =>
      branch.transact(db, (tx) => {
        outputs.push(branch.output)
        tx.set('account', input.account, Number(tx.get('account', input.account)) + input.amount)
      }),
  })
  return { db, debit, outputs, balance: () => db.read('account').get('anna') }
}

const input = { account: 'anna', amount: 5 }

describe('participant', () => {
  it('answers the stored output to a repeat, and does the work once', async () => {
    const { debit, balance } = bank()
    const first = await run(debit, 'action', input)
    expect(first).toEqual({ kind: 'done', output: { receipt: 'r-t1' } })
    expect([await run(debit, 'action', input), balance()]).toEqual([first, 95])
  })

  it('gives the compensation what the action stored', async () => {
    const { debit, balance, outputs } = bank()
    await run(debit, 'action', input)
    expect(await run(debit, 'compensate', input)).toEqual({ kind: 'done', output: null })
    expect([balance(), outputs]).toEqual([100, [{ receipt: 'r-t1' }]])
  })

  it('does nothing for the compensation of an action that never ran, and refuses the late action', async () => {
    const { debit, balance, outputs } = bank()
    expect(await run(debit, 'compensate', input)).toEqual({ kind: 'done', output: null })
    expect(await run(debit, 'action', input)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
    expect([balance(), outputs]).toEqual([undefined, []])
  })

  it('refuses invalid input with the place of each issue', async () => {
    const { debit } = bank()
    const outcome = await run(debit, 'action', { account: 'anna', amount: -1 })
    expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'invalid-input', issues: [{ path: '/amount' }] } })
  })

  it('reverses an action whose input was refused by doing nothing', async () => {
    const { debit, balance } = bank()
    for (const [at, input] of [{ account: 1 }, null, 'text'].entries()) {
      expect(await run(debit, 'compensate', input as Json, { transaction: `t${at}` })).toEqual({
        kind: 'done',
        output: null,
      })
    }
    expect(balance()).toBeUndefined()
  })

  it('never says done for a reversal when the action ran under a schema that its input no longer fits', async () => {
    const database = memoryDatabase()
    const schemas = [z.object({ sku: z.string() }), z.object({ sku: z.string(), amount: z.number() })]
    const [before, after] = schemas.map((input) =>
      participant('shop.take', {
        input,
        action: (_: unknown, branch) => branch.transact(database, (tx) => tx.set('taken', 'a', 1) ?? null),
        compensate: (_: unknown, branch) => branch.transact(database, (tx) => tx.delete('taken', 'a') ?? null),
      }),
    )
    if (before === undefined || after === undefined) throw new Error('two participants')
    expect(await run(before, 'action', { sku: 'a' })).toMatchObject({ kind: 'done' })
    expect(await run(after, 'compensate', { sku: 'a' })).toMatchObject({
      kind: 'unknown',
      error: expect.stringContaining('mend the schema'),
    })
    expect(database.read('taken').size).toBe(1)
    expect(await run(before, 'compensate', { sku: 'a' })).toMatchObject({ kind: 'done' })
    expect(database.read('taken').size).toBe(0)
  })

  it('rolls everything back on a business no, also where the code catches it', async () => {
    const { debit, balance } = bank()
    const greedy = { account: 'anna', amount: 500 }
    expect(await run(debit, 'action', greedy)).toEqual({ kind: 'refused', reason: { code: 'insufficient-funds' } })
    expect(balance()).toBeUndefined()
    const catching = participant('bank-a.catching', {
      input: z.null(),
      action: async (_input, branch) => {
        await branch.transact(memoryDatabase(), () => refuse('no')).catch(() => {})
        return 'all fine'
      },
    })
    expect(await run(catching, 'action', null)).toEqual({ kind: 'refused', reason: 'no' })
  })

  it('says unknown, not done, when the transaction failed and the code caught it', async () => {
    const catching = participant('bank-a.catching', {
      input: z.null(),
      action: async (_input, branch) => {
        await branch.transact(memoryDatabase(), () => Promise.reject(new Error('disk'))).catch(() => {})
        return 'all fine'
      },
    })
    expect(await run(catching, 'action', null)).toEqual({ kind: 'unknown', error: 'disk' })
  })

  it('never says refused after the commit', async () => {
    const late = participant('bank-a.late', {
      input: z.null(),
      action: async (_input, branch): Promise<null> => {
        await branch.transact(memoryDatabase(), () => 1)
        return refuse('too late')
      },
    })
    expect(await run(late, 'action', null)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('after') })
  })

  it('waits for a transaction that the code forgot to wait for', async () => {
    const db = memoryDatabase({ pause: () => new Promise((resolve) => setTimeout(resolve, 2)) })
    const hasty = participant('bank-a.hasty', {
      input: z.null(),
      action: (_input, branch) => {
        branch.transact(db, (tx) => tx.set('t', 'k', 1)).catch(() => {})
        return null
      },
    })
    expect(await run(hasty, 'action', null)).toEqual({ kind: 'done', output: null })
    expect(db.read('t').get('k')).toBe(1)
  })

  it('tells a participant that does its work outside the barrier, and logs the way out', async () => {
    const logged: string[] = []
    const careless = participant('bank-a.careless', { input: z.null(), action: () => ({ ok: true }) })
    const outcome = await run(careless, 'action', null, { logged })
    expect(outcome).toMatchObject({ kind: 'unknown', error: expect.stringContaining('LOCKSTEP_BARRIER_NOT_USED') })
    expect(logged[0]).toContain('barrier: false')
    const free = participant('bank-a.free', { input: z.null(), barrier: false, action: () => ({ ok: true }) })
    expect([free.barrier, await run(free, 'action', null)]).toEqual([false, { kind: 'done', output: { ok: true } }])
  })

  it('allows one transact per call', async () => {
    const db = memoryDatabase()
    const twice = participant('bank-a.twice', {
      input: z.null(),
      action: async (_input, branch) => {
        await branch.transact(db, () => 1)
        return branch.transact(db, () => 2).catch(() => 3)
      },
    })
    expect(await run(twice, 'action', null)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('twice') })
  })

  it('names the handles it knows when it is given another', async () => {
    const wrong = participant('bank-a.wrong', {
      input: z.null(),
      action: (_input, branch) => branch.transact(new Map(), () => 1),
    })
    const outcome = await run(wrong, 'action', null)
    expect(outcome).toMatchObject({
      kind: 'unknown',
      error: expect.stringMatching(/ADAPTER_MISMATCH.*Map.*memoryDatabase/),
    })
  })

  it('refuses to guess about a transaction older than the barrier', async () => {
    const { debit, outputs } = bank()
    const old = { begunAt: Date.now() - 31 * day }
    expect(await run(debit, 'compensate', input, old)).toMatchObject({ kind: 'unknown', code: 'older-than-barrier' })
    expect(await run(debit, 'action', input, old)).toMatchObject({ kind: 'unknown', code: 'older-than-barrier' })
    expect(await run(debit, 'compensate', input, { begunAt: Date.now() - 29 * day })).toMatchObject({ kind: 'done' })
    expect(outputs).toEqual([])
  })

  it('does not commit an output that JSON cannot carry', async () => {
    const db = memoryDatabase()
    const dated = participant('bank-a.dated', {
      input: z.null(),
      action: (_input, branch: Branch) =>
        branch.transact(db, (tx): string => {
          tx.set('t', 'k', 1)
          return { at: new Date() } as unknown as string
        }),
    })
    expect(await run(dated, 'action', null)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('/at') })
    expect(db.read('t').size).toBe(0)
  })

  it('asks again without counting a failure, and without a trace', async () => {
    const db = memoryDatabase()
    const slow = participant('bank-a.slow', {
      input: z.null(),
      action: (_input, branch) => branch.transact(db, (): null => askAgain('5s')),
    })
    expect(await run(slow, 'action', null)).toEqual({ kind: 'pending', retryAfterMs: 5_000 })
    expect(db.read('lockstep_barrier').size).toBe(0)
  })

  it('asks again when the database stays busy', async () => {
    const timers = { after: (_delayMs: number, fire: () => void) => ({ cancel: () => {}, fired: setImmediate(fire) }) }
    const db = memoryDatabase({ timers })
    const open = await db.begin()
    const late = participant('bank-a.late', {
      input: z.null(),
      action: (_input, branch) => branch.transact(db, () => 1),
    })
    expect(await run(late, 'action', null)).toEqual({ kind: 'pending' })
    open.rollback()
  })

  it('checks the output schema, and answers what it makes of it', async () => {
    const shaped = participant('bank-a.shaped', {
      input: z.number(),
      output: z.object({ n: z.number().max(5) }),
      barrier: false,
      action: (n) => ({ n }),
    })
    expect(await run(shaped, 'action', 3)).toEqual({ kind: 'done', output: { n: 3 } })
    expect(await run(shaped, 'action', 9)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('schema') })
  })

  it('leaves nothing when its process dies at any step before the commit, and everything after it', async () => {
    for (const label of ['begun', 'insert', 'complete', 'before-commit', 'committed'] as const) {
      const never = new Promise<void>(() => {})
      let dies = true
      const db = memoryDatabase({ pause: (at) => (dies && at === label ? never : Promise.resolve()) })
      const add = participant('bank-a.add', {
        input: z.null(),
        action: (_input, branch) => branch.transact(db, (tx) => tx.set('t', 'k', Number(tx.get('t', 'k') ?? 0) + 1)),
      })
      void run(add, 'action', null)
      await new Promise((resolve) => setImmediate(resolve))
      db.crash()
      expect([label, db.read('t').get('k'), db.read('lockstep_barrier').size]).toEqual(
        label === 'committed' ? [label, 1, 1] : [label, undefined, 0],
      )
      dies = false
      expect(await run(add, 'action', null)).toEqual({ kind: 'done', output: null })
      expect(db.read('t').get('k')).toBe(1)
    }
  })
})
