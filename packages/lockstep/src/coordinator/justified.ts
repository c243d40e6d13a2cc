import { mutant } from '#mutant'
import type { Status } from '../ports/index.ts'
import type { Errand } from './active.ts'

/** How far the row is behind the memory. Changes are counted in memory; of `durable`, the row holds a later one or the same. */
export interface Standing {
  readonly durableChange: number
  /** The change that records a takeover; nothing leaves before it is durable. */
  readonly takenOverAt: number
  readonly durable: { readonly status: Status }
  readonly transaction: { readonly status: Status }
}

/**
 * Law 1: whether what `change` has asked for may leave now. `status`: the decision must be durable, in whatever state the branches are;
 * `state`: everything up to this change.
 */
export function isJustified(standing: Standing, command: Errand, change: number): boolean {
  const { durableChange, takenOverAt, durable, transaction } = standing
  if (durableChange < takenOverAt) return false
  if (command.kind === 'begin') return durableChange >= change
  if (command.needs === 'nothing' || mutant('L1-reverse-before-durable')) return true
  if (durableChange >= change) return true
  return command.needs === 'status' && durable.status === transaction.status
}
