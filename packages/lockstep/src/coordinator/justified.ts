import { mutant } from '#mutant'
import type { Status } from '../ports/index.ts'
import type { Outgoing } from './active.ts'

/** How far the store is with a transaction that runs ahead in memory. */
export interface Durability {
  /** Changes are counted in memory; this one is the last that the row holds. */
  readonly durableChange: number
  /** The change that records a takeover. Nothing leaves before it is durable. */
  readonly takenOverAt: number
  readonly durable: { readonly status: Status }
  readonly transaction: { readonly status: Status }
}

/**
 * Law 1: whether what `change` has asked for may leave now. `state` waits for that very change; `status` only for the decision, whatever
 * else is still on its way to the row.
 */
export function isJustified(durability: Durability, command: Outgoing, change: number): boolean {
  const { durableChange, takenOverAt, durable, transaction } = durability
  if (durableChange < takenOverAt) return false
  if (command.kind === 'begin') return durableChange >= change
  if (command.needs === 'nothing' || mutant('L1-reverse-before-durable')) return true
  if (durableChange >= change) return true
  return command.needs === 'status' && durable.status === transaction.status
}
