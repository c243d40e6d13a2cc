/** What the simulated database promises and does not: it must give no outcome that a real one does not give. */
import { RandomStreams, Scheduler, SimulatedNode, sha256 } from '@lockstep/testkit'
import { BarrierBusy } from 'lockstep/ports'
import { beforeEach, describe, expect, it } from 'vitest'
import { noFaults } from './faults.ts'
import { type DatabaseFaults, DatabaseUnanswered, SharedDatabase } from './shared-database.ts'

let scheduler: Scheduler
let streams: RandomStreams
let faults: DatabaseFaults
let database: SharedDatabase
let commits: number

beforeEach(() => {
  streams = new RandomStreams(7, () => {})
  scheduler = new Scheduler({ random: streams.fork('schedule'), stepsMax: 1_000, onEvent: () => {} })
  faults = noFaults.database
  commits = 0
  const onCommit = () => {
    commits += 1
  }
  database = new SharedDatabase({
    name: 'bank',
    scheduler,
    random: streams.fork('bank'),
    faults: () => faults,
    onCommit,
  })
})

function client(name: string) {
  const parts = {
    scheduler,
    random: streams.fork('crash'),
    ownRandom: streams.fork(name),
    clockRandom: streams.fork('c'),
  }
  const fixed = { name, faults: () => noFaults.participant, skewMs: 0, driftPpm: 0, sha256 }
  const node: SimulatedNode = new SimulatedNode({ ...parts, ...fixed, onCrash: () => handle.died() })
  const handle = database.connect(node)
  return { node, handle }
}

const runFor = (ms: number) =>
  scheduler.runUntil(
    () => false,
    ms,
    () => {},
  )
const valueAt = (key: string) => database.read('t').get(key)

async function written(key: string, { handle } = client(key)): Promise<{ commit(): void }> {
  const tx = await handle.begin()
  tx.set('t', key, 1)
  return tx
}

describe('a commit', () => {
  it('is seen by all, and told at once', async () => {
    const tx = await written('a')
    expect(valueAt('a')).toBeUndefined()
    tx.commit()
    expect([valueAt('a'), commits]).toEqual([1, 1])
  })

  it('that is lost on its way leaves nothing', async () => {
    faults = { ...faults, failBefore: 1 }
    const tx = await written('a')
    expect(() => tx.commit()).toThrow(DatabaseUnanswered)
    expect([valueAt('a'), commits]).toEqual([undefined, 0])
  })

  it('whose answer is lost stands', async () => {
    faults = { ...faults, failAfter: 1 }
    const tx = await written('a')
    expect(() => tx.commit()).toThrow(DatabaseUnanswered)
    expect([valueAt('a'), commits]).toEqual([1, 1])
  })

  it('that is late holds its locks until it lands, or does not', async () => {
    faults = { ...faults, late: 1, lateMaxMs: 1 }
    const tx = await written('a')
    expect(() => tx.commit()).toThrow(DatabaseUnanswered)
    const next = client('b').handle.begin()
    expect(valueAt('a')).toBeUndefined()
    await runFor(5)
    await next
    expect(commits).toBeLessThanOrEqual(1)
    expect(valueAt('a')).toBe(commits === 1 ? 1 : undefined)
  })
})

describe('a process that dies', () => {
  it('leaves nothing of its open transaction, and its locks end with its session', async () => {
    const one = client('one')
    await written('a', one)
    one.node.crash()
    const next = client('two').handle.begin()
    await runFor(5)
    await next
    expect(valueAt('a')).toBeUndefined()
  })

  it('is never answered, and does not keep those behind it', async () => {
    const open = await written('a')
    const one = client('one')
    let answered = false
    void one.handle.begin().then(() => {
      answered = true
    })
    one.node.crash()
    const behind = client('two').handle.begin()
    open.commit()
    await behind
    expect(answered).toBe(false)
  })
})

it('a wait for the lock has an end', async () => {
  await written('a')
  const waiting = client('b')
    .handle.begin(2_000)
    .catch((error: unknown) => error)
  await runFor(2_001)
  expect(await waiting).toBeInstanceOf(BarrierBusy)
})

it('barrier rows are forgotten by their age, and by nothing else', async () => {
  const { handle } = client('a')
  const key = { store: 's', transaction: 't', branch: 'b', operation: 'try' } as const
  const tx = await handle.begin()
  tx.set('lockstep_barrier', 's/t/b/try', { by: 'try', inputHash: 'h', output: null })
  tx.set('t', 'a', 1)
  tx.commit()
  await runFor(100)
  await database.forgetBefore(0)
  expect(database.writerOf(key)).toBe('try')
  await database.forgetBefore(50)
  expect([database.writerOf(key), valueAt('a')]).toEqual([null, 1])
})
