import { LockstepError } from '../errors.ts'

/**
 * What a resource asks of a lease: the token by which it refuses older holders. A lease is one; over a network it is what
 * `readFence` finds in the request.
 */
export interface Fence {
  /** The locked name; it also names the resource, unless another name is given. */
  readonly name: string
  readonly fencingToken: bigint
  /** Several tokens of readers and of permits are valid at once: none of them can fence. */
  readonly exclusive?: boolean
}

export type StaleTokenError = LockstepError<'LOCKSTEP_STALE_TOKEN'>

/** 2^63 - 1: what PostgreSQL and SQLite keep, and what 19 digits hold. */
export const tokenMax = 9_223_372_036_854_775_807n
const tokenDigits = 19
const resourceCharactersMax = 300

export function tokenOf(fence: Fence): bigint {
  const { fencingToken: token, exclusive = true, name } = fence
  if (!exclusive)
    throw new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
      message: `The lease on ${name} is shared: several of its tokens are valid at once, so none of them can fence.`,
      next: 'Fence with the token of a writer, or of a mutex.',
    })
  if (typeof token === 'bigint' && token > 0n && token <= tokenMax) return token
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `A fencing token is a bigint from 1 to 2^63 - 1, but that of ${name} is ${String(token)}.`,
  })
}

/** Texts that compare as the tokens do: Lua's numbers are exact only to 2^53. */
export function paddedToken(fence: Fence): string {
  return String(tokenOf(fence)).padStart(tokenDigits, '0')
}

export function isResource(resource: unknown): resource is string {
  return typeof resource === 'string' && resource !== '' && resource.length <= resourceCharactersMax
}

export function checkResource(resource: string): string {
  if (isResource(resource)) return resource
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `A fenced resource's name is 1 to ${resourceCharactersMax} characters, but is ${JSON.stringify(String(resource).slice(0, 60))}.`,
  })
}

export function staleToken(resource: string, token: bigint, seen?: bigint): StaleTokenError {
  const newer = seen === undefined ? 'a newer one' : `${seen}`
  return new LockstepError('LOCKSTEP_STALE_TOKEN', {
    message: `${resource} has seen ${newer} and refuses the older token ${token}.`,
    details: { resource, token: String(token), ...(seen === undefined ? {} : { seen: String(seen) }) },
  })
}
