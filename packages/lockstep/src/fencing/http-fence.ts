import { isLockstepError, LockstepError } from '../errors.ts'
import { problemBody, problemContentType } from '../protocol/index.ts'
import { type Fence, isResource, tokenMax, tokenOf } from './fence.ts'

/** Carries the token, in decimal digits. */
export const fencingHeader = 'lockstep-fencing-token'

/**
 * What a holder sends along, so that the service at the other end can refuse an older one.
 *
 * @example
 * await fetch(url, { method: 'PUT', headers: { ...fencingHeaders(lease) }, body })
 */
export function fencingHeaders(fence: Fence): Readonly<Record<string, string>> {
  return { [fencingHeader]: String(tokenOf(fence)) }
}

/** The fence of a request for that resource. Fails with `LOCKSTEP_INVALID_REQUEST` when its token is missing or no number. */
export function readFence(request: Request, resource: string): Fence {
  if (!isResource(resource))
    throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
      message: 'What the request is about has a name that is empty or too long to be fenced.',
    })
  const text = request.headers.get(fencingHeader)
  if (text !== null && /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= tokenMax)
    return { name: resource, fencingToken: BigInt(text) }
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: `The header ${fencingHeader} must be a token from 1 to 2^63 - 1, but is ${text === null ? 'missing' : JSON.stringify(text.slice(0, 40))}.`,
    next: 'Send the fencing token of the lease under which the request is made.',
  })
}

export interface FencedHandler {
  /**
   * What the request is about; it names the fence. Two spellings of one resource, such as a trailing slash, must give one name: else they are
   * two fences. The id that your router has found is best.
   */
  resourceOf(request: Request): string
  /** Does the work, and claims the fence in the same transaction (`claimFence`, `fencedEffect`) before it reads anything. */
  handle(request: Request, fence: Fence): Promise<Response> | Response
}

/**
 * A `Request → Response` function whose stale requests are answered 409 with the code `stale-fencing-token`, and those without a token 400.
 *
 * @example
 * export const put = fencedHandler({
 *   resourceOf: (request) => `item-${itemIdOf(request)}`,
 *   handle: (request, fence) => inTransaction(async (tx) => { await claimFence(tx, fence); … }),
 * })
 */
export function fencedHandler({ resourceOf, handle }: FencedHandler): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await handle(request, readFence(request, resourceOf(request)))
    } catch (error) {
      if (isLockstepError(error, 'LOCKSTEP_STALE_TOKEN')) return problem(error, 409, 'stale-fencing-token')
      if (isLockstepError(error, 'LOCKSTEP_INVALID_REQUEST')) return problem(error, 400, error.code)
      throw error
    }
  }
}

function problem(error: LockstepError, status: number, code: string): Response {
  const body = JSON.stringify({ ...problemBody(error), code, ...error.details })
  return new Response(body, { status, headers: { 'content-type': problemContentType } })
}
