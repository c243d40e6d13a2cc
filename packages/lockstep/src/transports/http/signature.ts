import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { LockstepError } from '../../errors.ts'
import type { Operation } from '../../ports/index.ts'
import { signatureToleranceMs } from '../../protocol/index.ts'

/**
 * Standard Webhooks signatures for calls to participants. The signed text is `id.timestamp.body` and does not cover the
 * `lockstep-*` headers, so the id binds them: a signed confirm cannot be replayed as a cancel.
 */

/** A key that never shows itself in logs or errors. */
export class SigningKey {
  readonly #bytes: Buffer

  /** Takes `whsec_` and 24 to 64 bytes in base64; anything else is `LOCKSTEP_CONFIGURATION`. */
  constructor(secret: string) {
    const text = /^whsec_([A-Za-z0-9+/_-]+={0,2})$/.exec(secret)?.[1]
    const bytes = text === undefined ? null : Buffer.from(text, 'base64')
    if (bytes === null || bytes.length < 24 || bytes.length > 64) {
      throw new LockstepError('LOCKSTEP_CONFIGURATION', {
        message: 'A signing secret must be "whsec_" followed by 24 to 64 bytes in base64.',
        next: "Make one with: node -p \"'whsec_' + crypto.randomBytes(32).toString('base64')\"",
      })
    }
    this.#bytes = bytes
  }

  sign(id: string, timestampSeconds: string, body: string | Uint8Array): Buffer {
    return createHmac('sha256', this.#bytes).update(`${id}.${timestampSeconds}.`).update(body).digest()
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }
}

/** The same for every attempt of one operation, as the standard wants. */
export function webhookId(transaction: string, branch: string, operation: Operation | string): string {
  return createHash('sha256').update(`${transaction}\n${branch}\n${operation}`).digest('base64url')
}

/** Several keys give several signatures in one header: that is how a secret is rotated. */
export function signatureHeader(keys: readonly SigningKey[], id: string, timestamp: string, body: string): string {
  return keys.map((key) => `v1,${key.sign(id, timestamp, body).toString('base64')}`).join(' ')
}

export interface SignedRequest {
  readonly transaction: string
  readonly branch: string
  readonly operation: string
  readonly id: string
  readonly timestamp: string
  readonly signature: string
  readonly body: Uint8Array
}

/** Null when the signature stands; otherwise why not, in words that give no key away. */
export function signatureProblem(request: SignedRequest, keys: readonly SigningKey[], nowMs: number): string | null {
  if (request.id === '' || request.signature === '') return 'The request is not signed.'
  if (request.id !== webhookId(request.transaction, request.branch, request.operation)) {
    return 'The webhook-id belongs to another transaction, branch or operation.'
  }
  if (!/^\d{1,12}$/.test(request.timestamp)) return 'The webhook-timestamp is not in whole seconds.'
  if (Math.abs(nowMs - Number(request.timestamp) * 1000) > signatureToleranceMs) {
    return 'The webhook-timestamp is more than 5 minutes away from this clock.'
  }
  return hasValidSignature(request, keys) ? null : 'No signature fits a known secret.'
}

const signaturesMax = 10

function hasValidSignature(request: SignedRequest, keys: readonly SigningKey[]): boolean {
  const given = request.signature
    .split(' ', signaturesMax)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice(3), 'base64'))
  return keys.some((key) => {
    const expected = key.sign(request.id, request.timestamp, request.body)
    return given.some((bytes) => bytes.length === expected.length && timingSafeEqual(bytes, expected))
  })
}
