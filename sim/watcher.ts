/**
 * Watches what the laws forbid while a seed runs: it sees every durable change, every claim and every call, and keeps its own
 * small picture to judge them by. The first violation ends the seed.
 */
import type { NetworkWatch, SimulatedNode, StoreWatch } from '@lockstep/testkit'
import type {
  Alert,
  Alerts,
  Call,
  Decision,
  Entry,
  EntryResult,
  Operation,
  Pattern,
  Progress,
  Status,
  StoredTransaction,
} from 'lockstep/ports'
import { CallWatch } from './call-watch.ts'
import { branchesOf, deliveriesOf, namesOf, stepsOf } from './pattern-state.ts'

type AppliedRow = Extract<EntryResult, { kind: 'applied' }>['row']

export interface Seen {
  readonly pattern: Pattern
  readonly definition: string
  readonly labels: Readonly<Record<string, string>>
  readonly status: Status
  readonly epoch: number
  readonly version: number
  readonly owner: string | null
  readonly state: string
  readonly needs: readonly string[]
  readonly nextAt: number | null
  readonly deadlineAt: number | null
  readonly heldSince: number | null
  readonly heldReason: string | null
}

const ends = { committed: ['committed'], 'rolled-back': ['rolled-back'] } as const

/** What may follow what: a decision never flips, and only a saga turns round. */
const next: Readonly<Partial<Record<Pattern, Record<Status, readonly Status[]>>>> = {
  saga: {
    prepared: [],
    committing: ['committing', 'committed', 'rolling-back', 'rolled-back'],
    'rolling-back': ['rolling-back', 'rolled-back'],
    ...ends,
  },
  tcc: {
    prepared: ['prepared', 'committing', 'rolling-back', 'committed', 'rolled-back'],
    committing: ['committing', 'committed'],
    'rolling-back': ['rolling-back', 'rolled-back'],
    ...ends,
  },
  message: {
    prepared: ['prepared', 'committing', 'rolling-back', 'rolled-back'],
    committing: ['committing', 'committed'],
    'rolling-back': ['rolling-back', 'rolled-back'],
    ...ends,
  },
}

const committing: readonly Status[] = ['committing', 'committed']
const rollingBack: readonly Status[] = ['rolling-back', 'rolled-back']

/** Law 1: the decision that a call of the second phase rests on. */
const restsOn: Readonly<Partial<Record<Operation, readonly Status[]>>> = {
  compensate: rollingBack,
  cancel: rollingBack,
  confirm: committing,
  deliver: committing,
}

/** How far a coordinator's estimate of the store's clock may be ahead: one slow round trip, and then some. */
const clockErrorMs = 1_000

export class Watcher implements StoreWatch, NetworkWatch, Alerts {
  readonly seen = new Map<string, Seen>()
  readonly #leases = new Map<string, { until: number; services: readonly string[] }>()
  readonly #now: () => number
  readonly #oldAfterMs: number
  readonly #calls: CallWatch
  readonly violations: string[] = []
  takeovers = 0
  /** Whether the participant's database knows an operation that shuts this call out. */
  isReversed: (call: Call) => boolean = () => false
  /** Reasons for which each transaction was ever held. */
  readonly heldFor = new Map<string, Set<string>>()

  constructor(parts: { now: () => number; holdGraceMs: number; oldAfterMs: number }) {
    const { now, holdGraceMs, oldAfterMs } = parts
    this.#now = now
    this.#oldAfterMs = oldAfterMs
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
      this.#inserted(entry.row, before, version)
      return
    }
    if (before === undefined) return
    const kept = { ...before, version, ...this.#operatorColumns(id, before, row) }
    if (entry.kind === 'mark') {
      this.seen.set(id, kept)
      return
    }
    const after = { ...kept, ...pick(entry.progress), ...entry.work }
    if (entry.kind === 'advance') {
      if (entry.epoch !== before.epoch)
        this.violate(`law 5: ${node.name} wrote ${id} under epoch ${entry.epoch}, it is at ${before.epoch}`)
      this.#move(id, before, { ...after, epoch: before.epoch })
    } else {
      this.#taken(id, node, { from: before.owner, to: entry.progress.owner })
      this.#move(id, before, { ...after, epoch: entry.epoch + 1 })
    }
  }

  #inserted(row: Extract<Entry, { kind: 'insert' }>['row'], before: Seen | undefined, version: number): void {
    // A repeat of the very batch that inserted it is no second begin.
    if (before !== undefined && before.state !== row.state) this.violate(`law 2: ${row.id} was begun again`)
    if (before !== undefined) return
    const { pattern, definition, labels, needs, deadlineAt } = row
    const begun = {
      pattern,
      definition,
      labels,
      needs,
      deadlineAt,
      epoch: 1,
      version,
      heldSince: null,
      heldReason: null,
    }
    this.seen.set(row.id, { ...pick(row), ...begun })
    const parent = labels['escalation-of']
    if (parent !== undefined) this.#judgeEscalation(row.id, parent)
  }

  /** Law 1: what one transaction asks another for is durable first. */
  #judgeEscalation(id: string, parent: string): void {
    const from = this.seen.get(parent)
    const owes = from?.pattern === 'message' && deliveriesOf(from).some(({ escalation }) => escalation !== null)
    if (!owes) this.violate(`law 1: ${id} was begun for ${parent}, which durably owes no escalation`)
  }

  #operatorColumns(id: string, before: Seen, row: AppliedRow) {
    if (row.held !== null) this.heldFor.set(id, (this.heldFor.get(id) ?? new Set()).add(row.held.reason))
    return {
      deadlineAt: row.deadlineAt,
      heldSince: row.held === null ? null : (before.heldSince ?? this.#now()),
      heldReason: row.held?.reason ?? null,
    }
  }

  /** An instance that takes back its own may still have calls of its former epoch to send: its new ones cannot be told apart. */
  #taken(id: string, node: SimulatedNode, { from, to }: { from: string | null; to: string | null }): void {
    if (from === null || to === null || from === to) this.#calls.takenFree(id)
    else this.#calls.takenOver(id, node)
  }

  /** Law 1: nobody is told of what is not durable. It may have been let go since. */
  raise({ kind, id, reason }: Alert): void {
    const isTrue = kind === 'held' ? this.heldFor.get(id)?.has(reason ?? '') === true : this.seen.has(id)
    if (!isTrue) this.violate(`law 1: an alert (${kind}, ${reason}) was raised for ${id}, which never was so`)
  }

  #move(id: string, before: Seen, after: Seen): void {
    if (next[before.pattern]?.[before.status].includes(after.status) !== true)
      this.violate(`law 8: ${id} went from ${before.status} to ${after.status}`)
    if (after.pattern === 'tcc') this.#judgeBranches(id, before, after)
    this.seen.set(id, after)
  }

  /** Law 8: no branch is registered after the decision, and none that was is forgotten by it. */
  #judgeBranches(id: string, before: Seen, after: Seen): void {
    const names = namesOf(after)
    const known = namesOf(before)
    if (known.some((name, at) => names[at] !== name))
      this.violate(`law 8: ${id} lost a branch: ${known}, then ${names}`)
    if (names.length > known.length && before.status !== 'prepared')
      this.violate(`law 8: ${names.at(-1)} was registered to ${id}, which was ${before.status}`)
    const stated = branchesOf(after).length
    if (stated !== names.length)
      this.violate(`law 8: ${id} is ${after.status} with ${stated} branches, and ${names.length} are registered`)
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
    const what = `${call.operation} of ${call.transaction}/${call.branch}`
    if (durable === undefined) {
      this.violate(`law 1: ${what} left before its begin was durable`)
      return
    }
    const statuses = restsOn[call.operation]
    if (statuses !== undefined && !statuses.includes(durable.status))
      this.violate(`law 1: ${node.name} sent ${what} while it is durably ${durable.status}`)
    if (call.operation === 'action') this.#judgeOrder(call, durable)
    if (call.operation === 'deliver') this.#judgeDelay(call, durable)
    // A try is sent by whoever initiates, not by the owner: all it needs is its registration.
    if (call.operation !== 'try') {
      this.#judgeAge(call, what)
      this.#calls.left(node, call, durable)
    } else if (!namesOf(durable).includes(call.branch))
      this.violate(`law 1: ${what} left before its registration was durable`)
  }

  /** Where a step has no barrier, or uses an output, its predecessor's result is durable before it leaves. */
  #judgeOrder(call: Call, durable: Seen): void {
    const steps = stepsOf(durable)
    const position = Number(call.branch.slice(1))
    const previous = steps[position - 1]?.state
    const builds = this.buildsOnDurable.get(call.transaction)?.has(position) === true
    if (builds && (previous === 'waiting' || previous === 'active')) {
      this.violate(
        `law 1: action of ${call.transaction}/${call.branch} left before the result it builds on was durable`,
      )
    }
  }

  /** What participants may have forgotten is not called any more. */
  #judgeAge({ begunAt }: Call, what: string): void {
    const ageMs = this.#now() - begunAt
    if (ageMs > this.#oldAfterMs) this.violate(`law 10: ${what} left at an age of ${ageMs} ms`)
  }

  #judgeDelay(call: Call, durable: Seen): void {
    const dueAt = deliveriesOf(durable)[namesOf(durable).indexOf(call.branch)]?.dueAt ?? null
    const earlyMs = (dueAt ?? 0) - this.#now()
    if (earlyMs > clockErrorMs && !this.hurried.has(call.transaction))
      this.violate(`delay: deliver of ${call.transaction}/${call.branch} left ${earlyMs} ms early`)
  }

  /** Messages that somebody wants delivered now, whatever their delay. */
  readonly hurried = new Set<string>()

  /** Steps that need the durable result of the step before, by transaction. */
  readonly buildsOnDurable = new Map<string, ReadonlySet<number>>()

  /** What is shown is durable: an answer never runs ahead of the row. */
  shown(id: string, status: Status): void {
    const durable = this.seen.get(id)
    if (durable === undefined || status === 'prepared') return
    const isFinal = status === 'committed' || status === 'rolled-back'
    if (isFinal && durable.status !== status)
      this.violate(`law 1: ${id} was shown ${status}, durable is ${durable.status}`)
    if (durable.pattern === 'saga' || durable.pattern === 'none') return
    this.expectDecision(id, committing.includes(status) ? 'commit' : 'rollback')
  }

  /** Somebody was told that it is decided so. */
  expectDecision(id: string, decision: Decision): void {
    const durable = this.seen.get(id)?.status ?? 'never begun'
    const fits = (decision === 'commit' ? committing : rollingBack) as readonly string[]
    if (!fits.includes(durable))
      this.violate(`law 8: ${id} was said to be decided (${decision}), durable is ${durable}`)
  }

  /** Somebody was told that the branch is registered. */
  expectBranch(id: string, name: string): void {
    const durable = this.seen.get(id)
    if (durable === undefined || !namesOf(durable).includes(name))
      this.violate(`law 1: ${name} of ${id} was said to be registered, and is not durable`)
  }

  expectStatus(id: string, status: Status): void {
    const durable = this.seen.get(id)?.status
    if (durable !== status) this.violate(`law 8: ${id} was said to be ${status}, durable is ${durable}`)
  }

  arrived(call: Call): boolean {
    return this.isReversed(call)
  }

  answered(call: Call, outcome: { kind: string }, reversedBefore: boolean): void {
    if (reversedBefore && outcome.kind === 'done') {
      this.violate(
        `law 3: ${call.operation} of ${call.transaction}/${call.branch} was answered done after its reversal`,
      )
    }
  }
}

function pick({ status, owner, state, nextAt }: Progress): Pick<Seen, 'status' | 'owner' | 'state' | 'nextAt'> {
  return { status, owner, state, nextAt }
}
