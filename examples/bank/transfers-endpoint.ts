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
      const message = error instanceof Error ? error.message : String(error)
      console.error(`${new Date().toISOString()} ${order.data.id} is not decided: ${message}`)
      answer(response, 503, { message })
    }
  }
}

/** How it is decided. The end may still be to come: the coordinator knows it. */
interface Decided {
  readonly status: string
  /** Why, where it was not simply done. */
  readonly code?: string
}

async function decide(order: Order, { bank, database, coordinator: next }: EndpointParts): Promise<Decided> {
  const coordinator = next()
  try {
    const { status } =
      order.pattern === 'tcc'
        ? await transferByTcc(coordinator, bank, order)
        : await transferByMessage(coordinator, { bank, database }, order)
    return { status }
  } catch (error) {
    const seen = await coordinator.get(order.id).catch(() => null)
    if (seen === null || seen.status === 'prepared') throw error
    return { status: seen.status, code: isLockstepError(error) ? error.code : 'other' }
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
