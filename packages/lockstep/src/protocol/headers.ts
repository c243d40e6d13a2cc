import type { Operation } from '../ports/index.ts'

/** Header names of calls to participants, in lower case as Node and fetch give them. */
export const headerNames = {
  store: 'lockstep-store',
  transaction: 'lockstep-transaction',
  branch: 'lockstep-branch',
  operation: 'lockstep-operation',
  attempt: 'lockstep-attempt',
  begun: 'lockstep-begun',
  traceparent: 'traceparent',
  webhookId: 'webhook-id',
  webhookTimestamp: 'webhook-timestamp',
  webhookSignature: 'webhook-signature',
} as const

export const operations: readonly Operation[] = [
  'action',
  'compensate',
  'try',
  'confirm',
  'cancel',
  'commit',
  'rollback',
  'deliver',
  'check',
]

export function isOperation(text: string): text is Operation {
  return (operations as readonly string[]).includes(text)
}

/** The branch of a message's local transaction and its check-back. No user's branch can have this name. */
export const localBranch = '_local'
