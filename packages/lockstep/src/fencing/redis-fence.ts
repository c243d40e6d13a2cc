import { LockstepError } from '../errors.ts'
import { checkResource, type Fence, paddedToken, staleToken, tokenOf } from './fence.ts'

/** A client of the package ioredis or node-redis. Only what Lockstep calls is named. */
export type RedisHandle =
  | { call(command: string, ...args: string[]): Promise<unknown> }
  | { sendCommand(args: string[]): Promise<unknown> }

export interface FencedEffect {
  /** Lua, with `KEYS` and `ARGV` as given here. It runs only when the token is not stale, and in one step with the claim. */
  readonly lua: string
  readonly keys: readonly [string, ...string[]]
  readonly args?: readonly string[]
  /** What is fenced; the locked name unless given. */
  readonly resource?: string
  /**
   * In a cluster: the hash tag of the keys, so that the fence stands in their slot. The resource unless given. Everybody must use the
   * same one for a resource, since another tag is another fence.
   */
  readonly tag?: string
}

const staleReply = 'LOCKSTEP_STALE_TOKEN'

/**
 * Runs an effect on Redis that only the newest holder has: the claim and the effect are one script. Resolves with what the Lua returned.
 *
 * **Guarantees** that after an effect with a token none with an older one happens, for as long as Redis keeps what it has acknowledged.
 * Fails with `LOCKSTEP_STALE_TOKEN`, and nothing has happened.
 *
 * @example
 * await fencedEffect(redis, lease, { lua: "return redis.call('SET', KEYS[1], ARGV[1])", keys: ['price:42'], args: ['19.90'] })
 */
export async function fencedEffect(client: RedisHandle, fence: Fence, effect: FencedEffect): Promise<unknown> {
  const resource = checkResource(effect.resource ?? fence.name)
  const keys = [`lockstep:fence:{${checkTag(effect.tag ?? resource)}}:${resource}`, ...effect.keys]
  const args = ['EVAL', fencedLua(effect.lua), String(keys.length), ...keys, paddedToken(fence), ...(effect.args ?? [])]
  try {
    return await send(client, args)
  } catch (error) {
    const seen = new RegExp(`${staleReply} (\\d+)`).exec(String((error as Error).message))?.[1]
    if (seen === undefined) throw error
    throw staleToken(resource, tokenOf(fence), BigInt(seen))
  }
}

function fencedLua(lua: string): string {
  return `local fence, token = table.remove(KEYS, 1), table.remove(ARGV, 1)
local seen = redis.call('GET', fence)
if seen and seen > token then return redis.error_reply('${staleReply} ' .. seen) end
redis.call('SET', fence, token)
${lua}`
}

function checkTag(tag: string): string {
  if (tag !== '' && !tag.includes('}')) return tag
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The hash tag of a fence is not empty and has no "}", but is ${JSON.stringify(tag)}.`,
    next: 'Give the tag that the keys share, such as 42 of price:{42}.',
  })
}

function send(client: RedisHandle, args: readonly [string, ...string[]] | string[]): Promise<unknown> {
  const [command = '', ...rest] = args
  // Both packages have `sendCommand`, with different arguments; only ioredis has `call`.
  if ('call' in client && typeof client.call === 'function') return client.call(command, ...rest)
  if ('sendCommand' in client && typeof client.sendCommand === 'function') return client.sendCommand([...args])
  throw new LockstepError('LOCKSTEP_ADAPTER_MISMATCH', { message: 'The handle is no client of ioredis or node-redis.' })
}
