import type { TransactionBody } from 'lockstep'

const jsonHeaders = { 'content-type': 'application/json' }

export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = jsonHeaders) {
  return new Response(JSON.stringify(body), { status, headers })
}

/** 200 when final, 202 while not: a business no is no HTTP error (protocol.md section 3). */
export function transactionAnswer(
  transaction: TransactionBody,
  headers: Readonly<Record<string, string>> = jsonHeaders,
) {
  return jsonAnswer(transaction.endedAt === null ? 202 : 200, transaction, headers)
}

/** The answer to a begin also says where to ask again, and whether this very request began it. */
export function begunAnswer(transaction: TransactionBody, replayed: boolean) {
  const location = `/v1/transactions/${transaction.id}`
  const headers = { 'content-type': 'application/json', location }
  return transactionAnswer(transaction, replayed ? { ...headers, 'idempotent-replayed': 'true' } : headers)
}

export function wordAnswer(status: number, word: string, headers: Readonly<Record<string, string>> = {}) {
  return new Response(word, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } })
}

/** 201 for the call that registered the branch, 200 for one that repeats it; neither says how far the transaction is. */
export function registeredAnswer(transaction: TransactionBody, replayed: boolean) {
  return jsonAnswer(replayed ? 200 : 201, transaction)
}
