import type { ReceivedCall } from './plain-participant.ts'
import type { Answer } from './raw-request.ts'
import { type ServerAndBank, serverAndBank } from './server-and-bank.ts'

export interface Initiator extends ServerAndBank {
  get(id: string, waitMs?: number): Promise<Answer>
  register(id: string, branch: unknown): Promise<Answer>
  commit(id: string, waitMs?: number): Promise<Answer>
  rollback(id: string, waitMs?: number): Promise<Answer>
  /** What the bank was called for this transaction, in order; of one operation where it is given. */
  callsOf(id: string, operation?: string): ReceivedCall[]
  /** As `seat confirm`, sorted. */
  operationsOf(id: string): string[]
}

/** A server, a bank, and the requests of a transaction whose decision is open. */
export async function initiator(): Promise<Initiator> {
  const both = await serverAndBank()
  const { server, bank } = both
  const path = (id: string, more = '') => `/v1/transactions/${id}${more}`
  const query = (waitMs: number) => (waitMs === 0 ? '' : `?wait=${waitMs}`)
  const callsOf = (id: string, operation?: string) =>
    bank.calls.filter(({ headers }) => {
      const isOfIt = headers['lockstep-transaction'] === id
      return isOfIt && (operation === undefined || headers['lockstep-operation'] === operation)
    })
  return {
    ...both,
    get: (id, waitMs = 0) => server.get(path(id, query(waitMs))),
    register: (id, branch) => server.post(path(id, '/branches'), branch),
    commit: (id, waitMs = 0) => server.post(path(id, `/commit${query(waitMs)}`)),
    rollback: (id, waitMs = 0) => server.post(path(id, `/rollback${query(waitMs)}`)),
    callsOf,
    operationsOf: (id) =>
      callsOf(id)
        .map(({ headers }) => `${headers['lockstep-branch']} ${headers['lockstep-operation']}`)
        .sort(),
  }
}
