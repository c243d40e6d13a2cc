/**
 * Judges each call of a coordinator at the moment it leaves, by what is durable then: no call while its transaction is held, none from
 * an instance that has handed its lease back, and none after a takeover before what the dead owner may have sent is on record.
 */
import type { SimulatedNode } from '@lockstep/testkit'
import type { Call, Status } from 'lockstep/ports'
import { type PatternText, triedIn } from './pattern-state.ts'

export interface Durable extends PatternText {
  readonly status: Status
  readonly owner: string | null
  /** Since when it is held, by the store's clock; null when it is not. */
  readonly heldSince: number | null
}

interface Takeover {
  readonly by: SimulatedNode
  /** The new owner has the answer to its claim. */
  known: boolean
  /** Operations that the new owner has called since. */
  readonly called: Set<string>
}

export class CallWatch {
  readonly #owners = new WeakMap<SimulatedNode, string>()
  readonly #resigned = new WeakSet<SimulatedNode>()
  readonly #takeovers = new Map<string, Takeover>()
  readonly #parts: { now: () => number; holdGraceMs: number; violate: (message: string) => void }

  constructor(parts: { now: () => number; holdGraceMs: number; violate: (message: string) => void }) {
    this.#parts = parts
  }

  renewed(node: SimulatedNode, owner: string): void {
    this.#owners.set(node, owner)
  }

  resigned(node: SimulatedNode): void {
    this.#resigned.add(node)
  }

  /** Taken from an owner that may have calls out. */
  takenOver(id: string, by: SimulatedNode): void {
    this.#takeovers.set(id, { by, known: false, called: new Set() })
  }

  /** From here on the new owner knows: its calls are no longer those of an epoch before. */
  claimAnswered(id: string, by: SimulatedNode): void {
    const takeover = this.#takeovers.get(id)
    if (takeover?.by === by) takeover.known = true
  }

  /** Taken while nobody else drove it: whatever was called is on record. */
  takenFree(id: string): void {
    this.#takeovers.delete(id)
  }

  left(node: SimulatedNode, call: Call, durable: Durable): void {
    const what = `${call.operation} of ${call.transaction}/${call.branch}`
    if (this.#resigned.has(node))
      this.#parts.violate(`law 5: ${node.name} sent ${what} after it had handed its lease back`)
    this.#judgeHold(node, what, durable)
    this.#judgeRecord(node, call, durable)
  }

  /** Only its owner is told of a hold; one that was robbed learns it with its next write. */
  #judgeHold(node: SimulatedNode, what: string, { heldSince, owner }: Durable): void {
    if (heldSince === null || owner === null || owner !== this.#owners.get(node)) return
    const heldForMs = this.#parts.now() - heldSince
    if (heldForMs > this.#parts.holdGraceMs)
      this.#parts.violate(`held: ${node.name} sent ${what}, which had been held for ${heldForMs} ms`)
  }

  /** A call that kills its owner again and again must leave a trace: the attempt before it is durable first. */
  #judgeRecord(node: SimulatedNode, call: Call, durable: Durable): void {
    const takeover = this.#takeovers.get(call.transaction)
    const key = `${call.branch}/${call.operation}`
    if (takeover?.by !== node || !takeover.known || takeover.called.has(key)) return
    takeover.called.add(key)
    const known = triedIn(durable, durable.status).find(
      ({ branch, operation }) => branch === call.branch && operation === call.operation,
    )
    const count = known?.count ?? 0
    if (count < call.attempt - 1)
      this.#parts.violate(
        `attempts: ${node.name} sent attempt ${call.attempt} of ${call.operation} of ${call.transaction}/${call.branch} ` +
          `after a takeover, and ${count} are durable`,
      )
  }
}
