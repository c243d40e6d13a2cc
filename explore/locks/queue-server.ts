/** The server of a lock with its queue: the real scripts, each run once for every state that the server can be in. */
import { mutant } from 'lockstep/testing'
import { carelessMutexRelease, mutexScripts } from '../../packages/lockstep/src/locks/redis/mutex-scripts.ts'
import { sharedScripts } from '../../packages/lockstep/src/locks/redis/shared-scripts.ts'
import { LuaRuntime } from '../../packages/testkit/src/redis-model/lua-runtime.ts'
import { RedisData, type Reply, type Stored } from '../../packages/testkit/src/redis-model/redis-data.ts'
import { scriptMutants } from './script-mutants.ts'

export const nobody = -1

/** What a contender wants: a mutex alone, or to read, to write, or one of two permits. */
export type Mode = 'm' | 'r' | 'w' | 'p'
export const permits = 2

/**
 * What the server knows of one that does not hold it: whether it waits, in time or late, for a message or polling; or still the token of what
 * has run out.
 */
export type Waits = 'no' | 'listens' | 'polls' | 'late' | 'token'

export interface Server {
  /** For each contender its token while it holds the lock, else 0. */
  readonly tokens: readonly number[]
  readonly counter: number
  readonly queue: readonly number[]
  readonly about: readonly Waits[]
}

export interface Call {
  /** A farewell is the release of one that has given up. */
  readonly script: 'acquire' | 'release' | 'farewell' | 'pass' | 'extend'
  readonly caller: number
  /** Of `acquire` and `pass`: who asks, and how it waits. */
  readonly next?: number
  readonly how?: 'once' | 'listens' | 'polls'
}

export interface Answer {
  readonly server: Server
  readonly reply: Reply
  readonly messages: readonly { readonly to: number; readonly token: number }[]
}

const runtime = new LuaRuntime()
const keys = ['lock', 'token', 'queue', 'waiters']
const ttlMs = 10_000
const lifeMs = 5_000
const answers = new Map<string, Answer>()

/** `hears` says who is subscribed, as far as the server knows. */
export function call(server: Server, one: Call, modes: readonly Mode[], hears: readonly boolean[]): Answer {
  const source = sourceOf(one.script, modes)
  const { tokens, counter, queue, about } = server
  const asked = `${source.length} ${one.script} ${one.caller} ${one.next ?? ''} ${one.how ?? ''} ${modes.join('')}`
  const key = `${asked}|${tokens.join()} ${counter} ${queue.join()} ${about.join()}|${hears.join()}`
  const known = answers.get(key)
  if (known !== undefined) return known
  const messages: { to: number; token: number }[] = []
  // Time stands still, at 0: tokens are counted, and whoever is late is so because the search says it.
  const data = new RedisData({
    nowMs: () => 0,
    publish(channel, text) {
      const to = Number(channel.slice(1))
      if (hears[to] === true) messages.push({ to, token: Number(text.split(' ')[1]) })
      return Number(hears[to] === true)
    },
  })
  data.restore(isMutex(modes) ? storedAlone(server) : storedShared(server, modes))
  const reply = runtime.run(data, source, one.script === 'extend' ? ['lock'] : keys, argsOf(one, modes))
  const answer = { server: serverIn(data, modes), reply, messages }
  answers.set(key, answer)
  return answer
}

function isMutex(modes: readonly Mode[]): boolean {
  return modes[0] === 'm'
}

function sourceOf(name: Call['script'], modes: readonly Mode[]): string {
  if (name === 'release' && isMutex(modes) && mutant('M16-release-without-owner-compare'))
    return carelessMutexRelease.lua
  const broken = scriptMutants.find((one) => mutant(one.name))
  const { lua } = (isMutex(modes) ? mutexScripts : sharedScripts)[name === 'farewell' ? 'release' : name]
  return broken === undefined ? lua : lua.replaceAll(broken.from, broken.to)
}

function argsOf({ script, caller, next = caller, how = 'once' }: Call, modes: readonly Mode[]): readonly string[] {
  const life = how === 'once' ? 0 : lifeMs
  const member = memberOf(modes, caller)
  const waits = `${life} ${modes[next] === 'p' ? permits : 0} ${how === 'polls' ? '' : `c${next}`}`
  const asked = [memberOf(modes, next), String(ttlMs), waits]
  if (script === 'acquire') return asked
  if (script === 'pass') return [member, ...asked]
  return script === 'extend' ? [member, String(ttlMs)] : [member]
}

function memberOf(modes: readonly Mode[], contender: number): string {
  const mode = modes[contender] ?? 'm'
  return `${mode === 'm' ? '' : `${mode} `}m${contender} about-it`
}

function contenderOf(member: string): number {
  return Number(/\bm(\d+) /.exec(member)?.[1] ?? nobody)
}

function storedAlone(server: Server): ReadonlyMap<string, Stored> {
  const modes = server.tokens.map(() => 'm' as const)
  const stored = waitersOf(server, modes)
  const holder = server.tokens.findIndex((token) => token > 0)
  if (holder >= 0) stored.set('lock', forEver({ kind: 'string', text: memberOf(modes, holder) }))
  return stored
}

function storedShared(server: Server, modes: readonly Mode[]): ReadonlyMap<string, Stored> {
  const stored = waitersOf(server, modes)
  const scores = new Map<string, number>()
  for (const [at, token] of server.tokens.entries()) if (token > 0) scores.set(memberOf(modes, at), ttlMs)
  if (scores.size > 0) stored.set('lock', forEver({ kind: 'zset', scores }))
  return stored
}

function waitersOf({ tokens, counter, queue, about }: Server, modes: readonly Mode[]): Map<string, Stored> {
  const stored = new Map([['token', forEver({ kind: 'string', text: String(counter) })]])
  const members = queue.map((at) => memberOf(modes, at))
  if (members.length > 0) stored.set('queue', forEver({ kind: 'list', items: members }))
  const fields = new Map<string, string>()
  for (const [at, waits] of about.entries()) {
    const token = tokens[at] ?? 0
    const limit = modes[at] === 'p' ? permits : 0
    if (token > 0 || waits === 'token') {
      if (!isMutex(modes)) fields.set(memberOf(modes, at), String(Math.max(token, 1)))
    } else if (waits !== 'no')
      fields.set(
        memberOf(modes, at),
        `${waits === 'late' ? 0 : lifeMs} ${limit} ${waits === 'listens' ? `c${at}` : ''}`,
      )
  }
  if (fields.size > 0) stored.set('waiters', forEver({ kind: 'hash', fields }))
  return stored
}

function forEver(value: Stored['value']): Stored {
  return { value, expiresAtMs: null }
}

function serverIn(data: RedisData, modes: readonly Mode[]): Server {
  const counter = Number(data.read('token', 'string')?.text)
  const fields = data.read('waiters', 'hash')?.fields
  const tokens = modes.map((_, at) => {
    const member = memberOf(modes, at)
    if (isMutex(modes)) return data.read('lock', 'string')?.text === member ? counter : 0
    return data.read('lock', 'zset')?.scores.has(member) === true ? Number(fields?.get(member)) : 0
  })
  const queue = (data.read('queue', 'list')?.items ?? []).map(contenderOf)
  const about = modes.map((_, at) => (tokens[at] === 0 ? waitsIn(fields?.get(memberOf(modes, at))) : 'no'))
  return { tokens, counter, queue, about }
}

function waitsIn(about: string | undefined): Waits {
  if (about === undefined) return 'no'
  const [life, , channel] = about.split(' ')
  if (channel === undefined) return 'token'
  if (life === '0') return 'late'
  return channel === '' ? 'polls' : 'listens'
}
