import type { Judged } from '../effect-log.ts'
import type { Watcher } from '../watcher.ts'
import type { Order } from './order.ts'

export interface MessageWatchParts {
  readonly watcher: Watcher
  readonly orderOf: (id: string) => Order | undefined
  /** Whether the business of its local transaction is in the books. The barrier's row may be forgotten by then. */
  readonly isPaid: (id: string) => boolean
}

/** Judges each effect at the moment it is committed, by what the primaries and the store say then. */
export class MessageWatch {
  readonly #parts: MessageWatchParts

  constructor(parts: MessageWatchParts) {
    this.#parts = parts
  }

  effect({ transaction, branch, operation, what }: Judged): void {
    if (operation === 'action') this.#paid(transaction)
    else if (typeof what === 'object' && what !== null && 'undoes' in what)
      this.#undone(String((what as { undoes: string }).undoes), transaction)
    else this.#delivered(transaction, branch)
  }

  /** The local transaction has committed. */
  #paid(id: string): void {
    const { watcher, orderOf } = this.#parts
    const status = watcher.seen.get(id)?.status
    if (orderOf(id) === undefined) watcher.violate(`phantom: ${id} was paid, and nobody asked for it`)
    if (status === undefined) watcher.violate(`law 1: ${id} was paid before its half message was durable`)
    if (status === 'rolled-back') watcher.violate(`W5: ${id} was paid after it was rolled back`)
  }

  #delivered(id: string, branch: string): void {
    const { watcher, orderOf } = this.#parts
    const order = orderOf(id)
    const status = watcher.seen.get(id)?.status
    const isAsked = order?.deliveries.some(({ name }) => name === branch) === true
    if (order === undefined || !isAsked)
      watcher.violate(`phantom: ${id}/${branch} was delivered, and nobody asked for it`)
    else if (!this.isPaid(order) && !order.forced)
      watcher.violate(`W5: ${id}/${branch} was delivered, and ${id} is not paid`)
    if (status !== 'committing' && status !== 'committed')
      watcher.violate(`law 1: ${id}/${branch} was delivered while ${id} is durably ${status}`)
  }

  #undone(id: string, by: string): void {
    const { watcher, orderOf } = this.#parts
    const order = orderOf(id)
    if (order === undefined) watcher.violate(`phantom: ${by} undoes ${id}, which nobody asked for`)
    else if (!order.payload.refuse && !order.payload.stubborn)
      watcher.violate(`W5: ${by} undoes ${id}, which nobody has refused`)
  }

  /** True as well where nobody can say: without a check-back the decision itself is all there is. */
  isPaid(order: Order): boolean {
    return order.producer === 'unchecked' || this.#parts.isPaid(order.id)
  }
}
