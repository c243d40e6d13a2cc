/** `POST /transfers`: what a bank's own customers call. The same order with the same id may be repeated, and is until it is answered. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { isLockstepError, type RemoteCoordinator } from 'lockstep'
import type { BankDatabase } from './bank-database.ts'
import { transferByMessage } from './message.ts'
import { transferByTcc } from './tcc.ts'
import { Order } from './transfer.ts'

export interface EndpointParts {
  readonly bank: string
  readonly database: BankDatabase
  readonly coordinator: () => RemoteCoordinator
}

/** 200 says how the transfer has been decided, 503 that this is not known here: ask again, with the same id. */
export function transfersEndpoint(parts: EndpointParts) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const order = Order.safeParse(await json(request).catch(() => null))
    if (!order.success) return answer(response, 400, { message: order.error.message })
    try {
      answer(response, 200, await decide(order.data, parts))
    } catch (error) {
      answer(response, 503, { message: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** How it is decided. The end may still be to come: the coordinator knows it. */
interface Decided {
  readonly status: string
  readonly code?: string
}

async function decide(order: Order, { bank, database, coordinator }: EndpointParts): Promise<Decided> {
  try {
    const { status } =
      order.pattern === 'tcc'
        ? await transferByTcc(coordinator(), bank, order)
        : await transferByMessage(coordinator(), { bank, database }, order)
    return { status }
  } catch (error) {
    if (isLockstepError(error, 'LOCKSTEP_COMMITTED_DESPITE_ERROR')) return { status: 'committing', code: error.code }
    for (const code of ['LOCKSTEP_REFUSED', 'LOCKSTEP_ROLLED_BACK', 'LOCKSTEP_ALREADY_ROLLING_BACK'] as const)
      if (isLockstepError(error, code)) return { status: 'rolled-back', code }
    throw error
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
