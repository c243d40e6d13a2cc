/**
 * Watches what the laws forbid while a seed runs: it sees every durable change, every claim and every call, and keeps its own
 * small picture to judge them by. The first violation ends the seed.
 */
import type { NetworkWatch, SimulatedNode, StoreWatch } from '@lockstep/testkit'
import type { Call, Entry, EntryResult, Progress, Status, StoredTransaction } from 'lockstep/ports'
import { CallWatch, stepsOf } from './call-watch.ts'

type AppliedRow = Extract<EntryResult, { kind: 'applied' }>['row']

interface Seen {
  status: Status
  epoch: number
  version: number
  owner: string | null
  state: string
  needs: readonly string[]
  nextAt: number | null
  heldSince: number | null
}

const next: Record<Status, readonly Status[]> = {
  prepared: ['prepared', 'committing', 'rolling-back'],
  committing: ['committing', 'committed', 'rolling-back', 'rolled-back'],
  'rolling-back': ['rolling-back', 'rolled-back'],
  committed: ['committed'],
  'rolled-back': ['rolled-back'],
}

export class Watcher implements StoreWatch, NetworkWatch {
  readonly seen = new Map<string, Seen>()
  readonly #leases = new Map<string, { until: number; services: readonly string[] }>()
  readonly #now: () => number
  readonly #isReversed: (call: Call) => boolean
  readonly #calls: CallWatch
  readonly violations: string[] = []
  takeovers = 0

  constructor(parts: { now: () => number; isReversed: (call: Call) => boolean; holdGraceMs: number }) {
    const { now, isReversed, holdGraceMs } = parts
    this.#now = now
    this.#isReversed = isReversed
    this.#calls = new CallWatch({ now, holdGraceMs, violate: (message) => this.violate(message) })
  }

  violate(message: string): void {
    this.violations.push(message)
  }

  renewed(node: SimulatedNode, owner: string, leaseMs: number, services: readonly string[]): void {
    this.#leases.set(owner, { until: this.#now() + leaseMs, services })
    this.#calls.renewed(node, owner)
  }

  resigned(node: SimulatedNode, owner: string): void {
    this.#leases.delete(owner)
    this.#calls.resigned(node)
  }

  committed(node: SimulatedNode, batch: readonly Entry[], results: readonly EntryResult[]): void {
    const ids = new Set<string>()
    for (const [position, entry] of batch.entries()) {
      const id = entry.kind === 'insert' ? entry.row.id : entry.id
      if (ids.has(id)) this.violate(`law 6: ${id} is twice in one batch`)
      ids.add(id)
      const result = results[position]
      if (result?.kind === 'applied') this.#applied(node, entry, id, result.row)
    }
  }

  #applied(node: SimulatedNode, entry: Entry, id: string, row: AppliedRow): void {
    const { version } = row
    const before = this.seen.get(id)
    // A repeat of a batch that was applied before is answered as applied, and changes nothing.
    if (before !== undefined && version <= before.version && entry.kind !== 'insert') return
    if (entry.kind === 'insert') {
      // A repeat of the very batch that inserted it is no second begin.
      if (before !== undefined && before.state !== entry.row.state) this.violate(`law 2: ${id} was begun again`)
      if (before === undefined)
        this.seen.set(id, { ...pick(entry.row), epoch: 1, version, needs: entry.row.needs, heldSince: null })
      return
    }
    if (before === undefined) return
    const kept = {
      version,
      needs: before.needs,
      heldSince: row.held === null ? null : (before.heldSince ?? this.#now()),
    }
    if (entry.kind === 'mark') {
      this.seen.set(id, { ...before, ...kept })
      return
    }
    if (entry.kind === 'advance') {
      if (entry.epoch !== before.epoch)
        this.violate(`law 5: ${node.name} wrote ${id} under epoch ${entry.epoch}, it is at ${before.epoch}`)
      this.#move(id, before, { ...pick(entry.progress), epoch: before.epoch, ...kept })
    } else {
      this.#taken(id, node, { from: before.owner, to: entry.progress.owner })
      this.#move(id, before, { ...pick(entry.progress), epoch: entry.epoch + 1, ...kept })
    }
  }

  /** An instance that takes back its own may still have calls of its former epoch to send: its new ones cannot be told apart. */
  #taken(id: string, node: SimulatedNode, { from, to }: { from: string | null; to: string | null }): void {
    if (from === null || to === null || from === to) this.#calls.takenFree(id)
    else this.#calls.takenOver(id, node)
  }

  #move(id: string, before: Seen, after: Seen): void {
    if (!next[before.status].includes(after.status))
      this.violate(`law 8: ${id} went from ${before.status} to ${after.status}`)
    this.seen.set(id, after)
  }

  claimed(
    node: SimulatedNode,
    claimed: readonly { row: StoredTransaction; takeover: boolean }[],
    request: { owner: string; services: readonly string[]; missingAfterMs: number },
  ): void {
    const now = this.#now()
    for (const { row } of claimed) {
      const before = this.seen.get(row.id)
      if (before === undefined) continue
      if (row.epoch <= before.epoch)
        this.violate(`law 5: ${node.name} claimed ${row.id} without raising epoch ${before.epoch}`)
      this.#judgeOwner(row, before, { now, request })
      this.#judgeServices(row, before, { now, request })
      this.#taken(row.id, node, { from: before.owner, to: request.owner })
      if (before.owner !== null) this.takeovers += 1
      this.seen.set(row.id, { ...before, epoch: row.epoch, owner: request.owner })
    }
  }

  claimAnswered(node: SimulatedNode, claimed: readonly { row: StoredTransaction }[]): void {
    for (const { row } of claimed) this.#calls.claimAnswered(row.id, node)
  }

  #judgeOwner(row: StoredTransaction, before: Seen, by: { now: number; request: { owner: string } }): void {
    if (before.owner === null || before.owner === by.request.owner) return
    const lease = this.#leases.get(before.owner)
    if (lease !== undefined && lease.until > by.now) {
      this.violate(
        `law 5: ${row.id} was taken from ${before.owner}, whose lease has ${lease.until - by.now} ms left by the store's clock`,
      )
    }
  }

  #judgeServices(
    row: StoredTransaction,
    before: Seen,
    by: { now: number; request: { services: readonly string[]; missingAfterMs: number } },
  ): void {
    const covers = (services: readonly string[]) => row.needs.every((need) => services.includes(need))
    if (covers(by.request.services)) return
    const overdue = before.nextAt !== null && before.nextAt <= by.now - by.request.missingAfterMs
    const covered = [...this.#leases.values()].some((lease) => lease.until > by.now && covers(lease.services))
    if (!overdue || covered)
      this.violate(`law 11: ${row.id} was claimed by an instance that cannot call ${row.needs.join(', ')}`)
  }

  left(node: SimulatedNode, call: Call): void {
    const durable = this.seen.get(call.transaction)
    if (durable === undefined) {
      this.violate(`law 1: ${call.operation} of ${call.transaction} left before its begin was durable`)
      return
    }
    if (call.operation === 'compensate' && durable.status !== 'rolling-back' && durable.status !== 'rolled-back') {
      this.violate(
        `law 1: ${node.name} sent compensate of ${call.transaction}/${call.branch} while it is durably ${durable.status}`,
      )
    }
    if (call.operation === 'action') this.#judgeOrder(call, durable)
    this.#calls.left(node, call, durable)
  }

  /** Where a step has no barrier, or uses an output, its predecessor's result is durable before it leaves. */
  #judgeOrder(call: Call, durable: Seen): void {
    const steps = stepsOf(durable.state)
    const position = Number(call.branch.slice(1))
    const previous = steps[position - 1]?.state
    const builds = this.buildsOnDurable.get(call.transaction)?.has(position) === true
    if (builds && (previous === 'waiting' || previous === 'active')) {
      this.violate(
        `law 1: action of ${call.transaction}/${call.branch} left before the result it builds on was durable`,
      )
    }
  }

  /** Steps that need the durable result of the step before, by transaction. */
  readonly buildsOnDurable = new Map<string, ReadonlySet<number>>()

  /** What is shown is durable: an answer never runs ahead of the row. */
  shown(id: string, status: Status): void {
    const durable = this.seen.get(id)?.status
    const isFinal = status === 'committed' || status === 'rolled-back'
    if (durable !== undefined && isFinal && durable !== status)
      this.violate(`law 1: ${id} was shown ${status}, durable is ${durable}`)
  }

  expectStatus(id: string, status: Status): void {
    const durable = this.seen.get(id)?.status
    if (durable !== status) this.violate(`law 8: ${id} was said to be ${status}, durable is ${durable}`)
  }

  arrived(call: Call): boolean {
    return call.operation === 'action' && this.#isReversed(call)
  }

  answered(call: Call, outcome: { kind: string }, reversedBefore: boolean): void {
    if (reversedBefore && outcome.kind === 'done') {
      this.violate(`law 3: action of ${call.transaction}/${call.branch} was answered done after its reversal`)
    }
  }
}

function pick({ status, owner, state, nextAt }: Progress): Omit<Seen, 'epoch' | 'version' | 'needs' | 'heldSince'> {
  return { status, owner, state, nextAt }
}
