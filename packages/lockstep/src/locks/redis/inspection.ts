import type { LockInfo, LockMode, RedisReply } from '../../ports/index.ts'
import type { RedisLockParts } from './parts.ts'
import { lockKinds, nameOfKey, type Recipe, recipeOf } from './recipe.ts'
import { toLockError } from './trouble.ts'

const shownMax = 1_000
const modes: Record<string, LockMode['kind']> = { r: 'read', w: 'write', p: 'permit' }

/** Who holds a name, in each kind of lock, and the names without a holder for which somebody waits. */
export async function inspect(parts: RedisLockParts, name?: string): Promise<readonly LockInfo[]> {
  try {
    const recipes = name === undefined ? await findAll(parts) : lockKinds.map((kind) => ({ kind, name }))
    const shown = await Promise.all(
      recipes.map(async ({ kind, name: one }) => {
        const recipe = recipeOf(parts.prefix, kind, one)
        return infosOf(await run(parts, recipe, 'show', []), one, kind === 'mutex', true)
      }),
    )
    return shown.flat().slice(0, shownMax)
  } catch (error) {
    throw toLockError(error, parts.backend)
  }
}

/** Answers what was taken away. */
export async function evict(parts: RedisLockParts, name: string, token?: bigint): Promise<readonly LockInfo[]> {
  try {
    const taken = await Promise.all(
      lockKinds.map(async (kind) => {
        const reply = await run(parts, recipeOf(parts.prefix, kind, name), 'evict', [token?.toString() ?? ''])
        return infosOf(reply, name, kind === 'mutex', false)
      }),
    )
    return taken.flat()
  } catch (error) {
    throw toLockError(error, parts.backend)
  }
}

function run(parts: RedisLockParts, recipe: Recipe, script: 'show' | 'evict', args: string[]): Promise<RedisReply> {
  return parts.connection.script(recipe.scripts[script], recipe.keys, args, { timeoutMs: parts.callTimeoutMs })
}

async function findAll({ connection, prefix, callTimeoutMs }: RedisLockParts) {
  const found = new Map<string, NonNullable<ReturnType<typeof nameOfKey>>>()
  let cursor = '0'
  do {
    const args = ['SCAN', cursor, 'MATCH', `${prefix}:*`, 'COUNT', '1000']
    const [next, keys] = (await connection.command(args, { timeoutMs: callTimeoutMs })) as [string, string[]]
    for (const key of keys) {
      const one = nameOfKey(prefix, key)
      if (one !== null) found.set(`${one.kind} ${one.name}`, one)
    }
    cursor = next
  } while (cursor !== '0' && found.size < shownMax)
  return [...found.values()]
}

function infosOf(reply: RedisReply, name: string, isMutex: boolean, showsWaiting: boolean): LockInfo[] {
  const [waiters, ...holders] = reply as readonly (string | number)[]
  const nobody = { name, token: null, holder: null, since: null, remainingMs: null, waiters: Number(waiters) }
  if (holders.length === 0) {
    const mode = isMutex ? 'mutex' : 'write'
    return showsWaiting && waiters !== 0 ? [{ ...nobody, mode }] : []
  }
  return Array.from({ length: holders.length / 3 }, (_, index) => {
    const [member = '', token = '', leftMs = 0] = holders.slice(index * 3, index * 3 + 3)
    return { ...nobody, ...shownMember(String(member)), ...shownToken(String(token)), remainingMs: Number(leftMs) }
  })
}

function shownMember(member: string): Pick<LockInfo, 'mode' | 'holder'> {
  const mode = modes[/^([rwp]) /.exec(member)?.[1] ?? ''] ?? 'mutex'
  try {
    const [host, pid, label] = JSON.parse(member.slice(member.indexOf('['))) as [string, number, string]
    return { mode, holder: { host, pid, label } }
  } catch {
    return { mode, holder: null }
  }
}

/** A token is the moment of the grant in microseconds, unless two grants or a clock have come too close. */
function shownToken(token: string): Pick<LockInfo, 'token' | 'since'> {
  if (!/^\d+$/.test(token)) return { token: null, since: null }
  return { token: BigInt(token), since: Math.floor(Number(token) / 1_000) }
}
