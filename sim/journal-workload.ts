/**
 * Two journals over one store that loses answers and lets COMMITs land late. Instances take the same transactions from each other
 * again and again. Whoever is told "applied" must have been: under the epoch of that very entry, with that change or a later one.
 */
import {
  faultyStore,
  RandomStreams,
  Scheduler,
  type SharedStore,
  SimulatedNode,
  type StoreWatch,
  serviceClock,
  sha256,
} from '@lockstep/testkit'
import { memoryStore } from 'lockstep/memory'
import { type Entry, type Progress, silentLogger } from 'lockstep/ports'
import { Journal } from 'lockstep/testing'
import { drawFaults, noFaults } from './faults.ts'
import type { SeedOutcome } from './workload.ts'

const ids = ['one', 'two', 'three']
const rounds = 40

interface Instance {
  readonly name: string
  readonly journal: Journal
  readonly store: ReturnType<typeof faultyStore>
  /** Epochs this instance believes to own. */
  readonly epochs: Map<string, number>
  /** Changes in the order in which this instance made them. */
  change: number
}

class AppliedLog implements StoreWatch {
  /** Highest change applied, by id and epoch. */
  readonly changes = new Map<string, number>()

  committed(_: SimulatedNode, batch: readonly Entry[], results: Parameters<StoreWatch['committed']>[2]): void {
    for (const [position, entry] of batch.entries()) {
      if (entry.kind !== 'advance' || results[position]?.kind !== 'applied') continue
      const key = `${entry.id}@${entry.epoch}`
      const change = Number(entry.progress.state)
      this.changes.set(key, Math.max(change, this.changes.get(key) ?? 0))
    }
  }
  claimed(): void {}
  claimAnswered(): void {}
  renewed(): void {}
  resigned(): void {}
}

export async function runJournal(seed: number, note: (line: string) => void): Promise<SeedOutcome> {
  const streams = new RandomStreams(seed, (stream, label, value) => note(`draw ${stream} ${label} ${value}`))
  const scheduler = new Scheduler({
    random: streams.fork('schedule'),
    stepsMax: 200_000,
    onEvent: (at, label) => note(`${at} ${label}`),
  })
  const drawn = drawFaults(streams.fork('rates')).store
  let faults = {
    ...drawn,
    late: Math.max(0.1, drawn.late),
    lateMaxMs: 4_000,
    failAfter: Math.max(0.1, drawn.failAfter),
  }
  const applied = new AppliedLog()
  const rows = memoryStore({ clock: serviceClock(scheduler) })
  const random = streams.fork('store')
  const shared: SharedStore = { rows, scheduler, random, faults: () => faults, watch: applied, lockedUntil: null }
  for (const id of ids)
    await rows.commit([{ kind: 'insert', row: opening(id) }], { instance: 'opening', number: 1, repeat: false })
  const violations: string[] = []
  let open = 0
  const instances = ['left', 'right'].map((name) => makeInstance(name, { shared, scheduler, streams }))
  const choice = streams.fork('choice')
  for (let round = 0; round < rounds; round++) {
    const instance = choice.pick('instance', instances)
    const id = choice.pick('id', ids)
    scheduler.after(choice.integer('when', 0, 8_000), 'write', () => {
      open += 1
      const done = choice.chance('take', 0.3)
        ? take(instance, id)
        : write(instance, id, { applied, violations, holds: choice.chance('hold', 0.2) })
      void done.finally(() => {
        open -= 1
      })
    })
  }
  await scheduler.runUntil(
    () => violations.length > 0,
    10_000,
    () => {},
  )
  faults = noFaults.store
  const rested = await scheduler.runUntil(
    () => open === 0 || violations.length > 0,
    600_000,
    () => {},
  )
  const violation = violations[0] ?? (rested ? null : `${open} callers of the journal were never answered`)
  return { violation, steps: scheduler.steps, virtualMs: scheduler.now(), transactions: rounds, takeovers: 0 }
}

function makeInstance(
  name: string,
  by: { shared: SharedStore; scheduler: Scheduler; streams: RandomStreams },
): Instance {
  const node = new SimulatedNode({
    name,
    scheduler: by.scheduler,
    random: by.streams.fork('crash'),
    ownRandom: by.streams.fork(name),
    faults: () => noFaults.coordinator,
    skewMs: 0,
    driftPpm: 0,
    clockRandom: by.streams.fork('clocks'),
    sha256,
    onCrash: () => {},
  })
  const store = faultyStore(by.shared, node)
  const { clock, timers } = node.environment
  const journal = new Journal({ store, instance: name, clock, timers, logger: silentLogger, onFailed: () => {} })
  return { name, journal, store, epochs: new Map(name === 'left' ? ids.map((id) => [id, 1]) : []), change: 0 }
}

/** Claims in the statement that changes the row, as a decision on another instance does. */
async function take(instance: Instance, id: string): Promise<void> {
  const [row] = await instance.store.read([id]).catch(() => [])
  if (row === undefined) return
  const operator = { held: null, deadlineAt: null, ageFrom: 0 }
  const entry: Entry = {
    kind: 'take',
    id,
    epoch: row.epoch,
    version: row.version,
    progress: progress(instance.name, 0),
    operator,
  }
  const result = await instance.journal.write(entry)
  if (result.kind === 'applied') instance.epochs.set(id, result.row.epoch)
}

interface Judging {
  readonly applied: AppliedLog
  readonly violations: string[]
  readonly holds: boolean
}

async function write(instance: Instance, id: string, { applied, violations, holds }: Judging): Promise<void> {
  const epoch = instance.epochs.get(id)
  if (epoch === undefined) return
  instance.change += 1
  const { change, name } = instance
  const hold = holds ? { hold: { reason: 'limit-spent', since: change, by: name, detail: null } } : {}
  const result = await instance.journal.write({ kind: 'advance', id, epoch, progress: progress(name, change), ...hold })
  if (result.kind !== 'applied') {
    instance.epochs.delete(id)
    return
  }
  if ((applied.changes.get(`${id}@${epoch}`) ?? -1) < change) {
    violations.push(`law 6: ${name} was told that change ${change} of ${id} is durable under epoch ${epoch}; it is not`)
  }
  if (holds && result.row.held === null && result.row.epoch === epoch) {
    violations.push(`law 6: the hold of ${id} was lost in a merge`)
  }
}

function progress(owner: string, change: number): Progress {
  return {
    status: 'committing',
    state: String(change),
    reason: null,
    updatedAt: change,
    endedAt: null,
    nextAt: 0,
    owner,
  }
}

function opening(id: string): Extract<Entry, { kind: 'insert' }>['row'] {
  const fixed = {
    pattern: 'saga',
    contentHash: 'c',
    definition: '{}',
    needs: [],
    labels: {},
    createdAt: 0,
    traceparent: null,
  } as const
  return { id, ...fixed, ...progress('left', 0), held: null, deadlineAt: null, ageFrom: 0 }
}
