import type { LockInfo } from '../../ports/index.ts'
import { largestToken } from './largest-token.ts'
import { keysOf, readOwner } from './redlock-name.ts'
import type { RedlockNode } from './redlock-node.ts'
import { inspectScript, releaseScript } from './scripts.ts'
import { type Silence, unavailable } from './trouble.ts'

const timeoutMs = 1_000
const inspectedMax = 1_000

/** What one node says of a name. */
interface Sight {
  readonly owner: string
  readonly leftMs: number
  readonly counter: bigint
}

interface Held {
  readonly owner: string
  readonly info: LockInfo
}

/** What a majority stands for; a minority is nobody's lock. */
export async function inspectNodes(
  nodes: readonly RedlockNode[],
  prefix: string,
  name?: string,
): Promise<readonly LockInfo[]> {
  const names = name === undefined ? await namesOn(nodes, prefix) : [name]
  const held = await Promise.all(names.slice(0, inspectedMax).map((one) => heldUnder(nodes, prefix, one)))
  return held.flatMap((one) => (one === null ? [] : [one.info]))
}

export async function evictOnNodes(
  nodes: readonly RedlockNode[],
  prefix: string,
  name: string,
  token?: bigint,
): Promise<readonly LockInfo[]> {
  const held = await heldUnder(nodes, prefix, name)
  if (held === null || (token !== undefined && held.info.token !== token)) return []
  const keys = keysOf(prefix, name)
  const release = { script: releaseScript, keys: [keys.lock], args: [held.owner, keys.channel], timeoutMs }
  const answers = await Promise.allSettled(nodes.map((node) => node.ask(release)))
  const released = answers.filter((answer) => answer.status === 'fulfilled' && answer.value !== 0).length
  // Below a majority the holder could still prove it.
  if (nodes.length - released < quorumOf(nodes)) return [held.info]
  throw unavailable('taken away', silencesOf(nodes, answers), quorumOf(nodes))
}

async function heldUnder(nodes: readonly RedlockNode[], prefix: string, name: string): Promise<Held | null> {
  const { lock, counter } = keysOf(prefix, name)
  const question = { script: inspectScript, keys: [lock, counter], args: [], timeoutMs }
  const answers = await Promise.allSettled(nodes.map((node) => node.ask(question)))
  const quorum = quorumOf(nodes)
  const answered = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  if (answered.length < quorum) throw unavailable('inspected', silencesOf(nodes, answers), quorum)
  const sights = answered.flatMap((answer): Sight[] => {
    if (!Array.isArray(answer) || typeof answer[0] !== 'string') return []
    return [{ owner: answer[0], leftMs: Number(answer[1]), counter: BigInt(String(answer[2] ?? '0')) }]
  })
  const owner = sights.find((sight) => sights.filter((other) => other.owner === sight.owner).length >= quorum)?.owner
  if (owner === undefined) return null
  const ours = sights.filter((sight) => sight.owner === owner)
  const token = largestToken(ours.map((sight) => sight.counter))
  const remainingMs = Math.min(...ours.map((sight) => sight.leftMs))
  return { owner, info: { name, mode: 'mutex', token, ...readOwner(owner), remainingMs, waiters: null } }
}

async function namesOn(nodes: readonly RedlockNode[], prefix: string): Promise<readonly string[]> {
  const lists = await Promise.allSettled(nodes.map((node) => scan(node, prefix)))
  const names = lists.flatMap((list) => (list.status === 'fulfilled' ? list.value : []))
  if (lists.filter((list) => list.status === 'fulfilled').length < quorumOf(nodes))
    throw unavailable('listed', silencesOf(nodes, lists), quorumOf(nodes))
  return [...new Set(names)].sort()
}

async function scan(node: RedlockNode, prefix: string): Promise<readonly string[]> {
  const names: string[] = []
  let cursor = '0'
  do {
    const reply = await node.command(['SCAN', cursor, 'MATCH', `${prefix}:{*}`, 'COUNT', '500'], timeoutMs)
    const [next, keys] = reply as readonly [string, readonly string[]]
    names.push(...keys.map((key) => key.slice(prefix.length + 2, -1)))
    cursor = next
  } while (cursor !== '0' && names.length < inspectedMax)
  return names
}

/** The results are in the order of the nodes. */
function silencesOf(
  nodes: readonly RedlockNode[],
  results: readonly PromiseSettledResult<unknown>[],
): readonly Silence[] {
  return nodes.flatMap(({ name }, at): Silence[] => {
    const result = results[at]
    return result?.status === 'rejected' ? [{ node: name, error: result.reason as Error }] : []
  })
}

function quorumOf(nodes: readonly RedlockNode[]): number {
  return Math.floor(nodes.length / 2) + 1
}
