import type { SimulatedNode } from '@lockstep/testkit'
import type { Lease } from 'lockstep/locks'

interface Granted {
  readonly node: SimulatedNode
  readonly lease: Lease
  readonly askedMs: number
  readonly grantedMs: number
}

/** Sees every grant of every process, and says when two hold a name, or a token is not above an earlier one. */
export class LockWatch {
  violation: string | null = null
  grants = 0
  readonly #open = new Map<string, Granted[]>()
  readonly #newest = new Map<string, { token: bigint; grantedMs: number }[]>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  granted(name: string, node: SimulatedNode, lease: Lease, askedMs: number): void {
    this.grants += 1
    const nowMs = this.#nowMs()
    const others = (this.#open.get(name) ?? []).filter((other) => other.node.alive && other.lease.remaining() > 0)
    const other = others[0]
    if (other !== undefined)
      this.#violated(`${node.name} was granted ${name} while ${other.node.name} has ${other.lease.remaining()} ms left`)
    const earlier = this.#newest.get(name) ?? []
    const above = earlier.find((one) => one.grantedMs < askedMs && one.token >= lease.fencingToken)
    if (above !== undefined)
      this.#violated(`${node.name} got ${lease.fencingToken} of ${name}, and an earlier holder had ${above.token}`)
    if (earlier.some((one) => one.token === lease.fencingToken))
      this.#violated(`${lease.fencingToken} of ${name} was given twice`)
    this.#newest.set(name, [...earlier, { token: lease.fencingToken, grantedMs: nowMs }])
    this.#open.set(name, [...others, { node, lease, askedMs, grantedMs: nowMs }])
  }

  #violated(why: string): void {
    this.violation ??= `W9: ${why}`
  }
}
