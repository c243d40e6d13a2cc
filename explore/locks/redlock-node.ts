/** What one node of a RedLock does: its real scripts, each run once for every state that a node can be in. */
import { mutant } from 'lockstep/testing'
import {
  acquireScript,
  carelessReleaseScript,
  releaseScript,
} from '../../packages/lockstep/src/locks/redlock/scripts.ts'
import { writeBack } from '../../packages/lockstep/src/locks/redlock/token-rule.ts'
import { LuaRuntime } from '../../packages/testkit/src/redis-model/lua-runtime.ts'
import { RedisData, type Reply, type Stored } from '../../packages/testkit/src/redis-model/redis-data.ts'

export const nobody = -1

export interface Node {
  /** An attempt. */
  readonly owner: number
  readonly counter: number
}

export interface Ran {
  readonly node: Node
  /** Of an acquire, the counter when it was granted; of the others 1. Null is a no. */
  readonly yes: number | null
}

type Name = 'acquire' | 'write back' | 'release'

const runtime = new LuaRuntime()
const ttlMs = '10000'
const ran = new Map<string, Ran>()

export function acquireAt(node: Node, attempt: number): Ran {
  return run('acquire', node, attempt, 0)
}

export function writeBackAt(node: Node, attempt: number, token: number): Ran {
  return run('write back', node, attempt, token)
}

export function releaseAt(node: Node, attempt: number): Ran {
  return run('release', node, attempt, 0)
}

function run(name: Name, node: Node, attempt: number, token: number): Ran {
  const script = scriptOf(name)
  const key = `${name} ${script.length} ${node.owner} ${node.counter} ${attempt} ${token}`
  const known = ran.get(key)
  if (known !== undefined) return known
  // Its clock stands at 0, so that counters are counted, and not seeded: what they are seeded with only makes them larger.
  const data = new RedisData({ nowMs: () => 0, publish: () => 0 })
  data.restore(storedOf(node))
  const args = name === 'write back' ? [text(attempt), String(token), ttlMs] : [text(attempt), ttlMs]
  const reply = runtime.run(data, script, ['lock', 'counter'], name === 'release' ? [text(attempt), ''] : args)
  const result = { node: nodeIn(data), yes: yesOf(reply) }
  ran.set(key, result)
  return result
}

function scriptOf(name: Name): string {
  if (name === 'acquire') return acquireScript.lua
  if (name === 'write back') return writeBack().lua
  return mutant('M16-release-without-owner-compare') ? carelessReleaseScript.lua : releaseScript.lua
}

function storedOf({ owner, counter }: Node): ReadonlyMap<string, Stored> {
  const stored = new Map<string, Stored>()
  const put = (key: string, value: string) =>
    stored.set(key, { value: { kind: 'string', text: value }, expiresAtMs: null })
  if (owner !== nobody) put('lock', text(owner))
  if (counter > 0) put('counter', String(counter))
  return stored
}

function nodeIn(data: RedisData): Node {
  const owner = data.read('lock', 'string')?.text
  const counter = data.read('counter', 'string')?.text
  return { owner: owner === undefined ? nobody : Number(owner.slice(1)), counter: Number(counter ?? 0) }
}

function yesOf(reply: Reply): number | null {
  if (Array.isArray(reply)) return reply[0] === 1 ? Number(reply[1]) : null
  return reply === 1 ? 1 : null
}

function text(attempt: number): string {
  return `a${attempt}`
}
