import type { Operation, ParticipantCall } from '../../ports/index.ts'
import { headerNames, isBranchHeader, isOperation, isStoreId, isTransactionId } from '../../protocol/index.ts'
import { requestProblem } from './raw-answer.ts'
import type { RawRequest } from './raw-request.ts'
import type { SigningKey } from './signature.ts'
import { signatureProblem } from './signature.ts'

/** The call as its headers tell it. Missing or malformed ones are refused, since the barrier's key is made of them. */
export function readCall(
  request: RawRequest,
  pathOperation: string,
): ParticipantCall & { readonly operation: Operation } {
  const operation = valid(request, headerNames.operation, isOperation) as Operation
  if (operation !== pathOperation) {
    throw requestProblem('LOCKSTEP_INVALID_REQUEST', `${headerNames.operation} is not the operation of the path.`)
  }
  const traceparent = request.header(headerNames.traceparent)
  return {
    operation,
    store: valid(request, headerNames.store, isStoreId),
    transaction: valid(request, headerNames.transaction, isTransactionId),
    branch: valid(request, headerNames.branch, isBranchHeader),
    attempt: Number(valid(request, headerNames.attempt, isCount)),
    begunAt: Number(valid(request, headerNames.begun, isCount)),
    traceparent: traceparent === '' ? null : traceparent,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }
}

/** Fails with `LOCKSTEP_UNAUTHENTICATED` unless one of the keys signed exactly this body for exactly this operation. */
export function checkSignature(
  request: RawRequest,
  body: Uint8Array,
  keys: readonly SigningKey[],
  nowMs: number,
): void {
  if (keys.length === 0) return
  const signed = {
    transaction: request.header(headerNames.transaction),
    branch: request.header(headerNames.branch),
    operation: request.header(headerNames.operation),
    id: request.header(headerNames.webhookId),
    timestamp: request.header(headerNames.webhookTimestamp),
    signature: request.header(headerNames.webhookSignature),
    body,
  }
  const problem = signatureProblem(signed, keys, nowMs)
  if (problem === null) return
  throw requestProblem('LOCKSTEP_UNAUTHENTICATED', problem, 'Sign the call with a secret that this participant knows.')
}

function valid(request: RawRequest, name: string, is: (text: string) => boolean): string {
  const text = request.header(name)
  if (is(text)) return text
  const problem = text === '' ? 'is missing' : 'is malformed'
  throw requestProblem(
    'LOCKSTEP_INVALID_REQUEST',
    `The header ${name} ${problem}: only a coordinator or its client calls participants.`,
  )
}

function isCount(text: string): boolean {
  return /^\d{1,15}$/.test(text)
}
