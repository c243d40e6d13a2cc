/** What must not be. */
import { isAlone, isHeeding, isKnown, nameOf, phaseOf } from './queue-changes.ts'
import { type Answer, type Mode, nobody, permits, type Server } from './queue-server.ts'
import type { Contender, QueueState } from './queue-state.ts'

/** Those who share the lock may hear of their grants in another order; whoever is alone comes after all, and all come after it. */
export function disorder(state: QueueState, at: number, token: number, modes: readonly Mode[]): string | null {
  const { contenders } = state
  const others = [...contenders.keys()].filter((other) => other !== at && phaseOf(contenders, other) === 'held')
  const other = others.find((one) => isAlone(modes[one]) || isAlone(modes[at]))
  if (other !== undefined) return `${nameOf(at)} and ${nameOf(other)} hold it`
  if (modes[at] === 'p' && others.length >= permits) return `${others.length + 1} hold one of ${permits} permits`
  if (others.some((one) => contenders[one]?.token === token)) return `${token} was granted twice`
  const before = isAlone(modes[at]) ? state.granted : state.grantedAlone
  return token > before ? null : `${nameOf(at)} was granted ${token} after ${before}`
}

/** What a script must not do: grant out of turn or in vain, and leave the name to nobody. */
export function wronged(state: QueueState, answer: Answer, caller: number, mustHandOver: boolean): string | null {
  const { server: before, contenders } = state
  const { server: now } = answer
  for (const [at, token] of now.tokens.entries()) {
    if (token === 0 || token === before.tokens[at]) continue
    const place = before.queue.indexOf(at)
    const ahead = place < 0 ? before.queue : before.queue.slice(0, place)
    const overtaken = ahead.find(
      (one) => one !== at && now.tokens[one] === 0 && canBeGranted(before, contenders, one) && isAlive(contenders, one),
    )
    if (overtaken !== undefined) return `${nameOf(at)} has overtaken ${nameOf(overtaken)}`
    if (at !== caller && !canBeGranted(before, contenders, at))
      return `it was granted to ${nameOf(at)}, which is late or gone`
  }
  const isLeft = mustHandOver && before.tokens[caller] !== 0 && now.tokens.every((token) => token === 0)
  const stranded = isLeft ? now.queue.find((at) => canBeGranted(now, contenders, at)) : undefined
  return stranded === undefined ? null : `it was left free, though ${nameOf(stranded)} waits`
}

function canBeGranted({ about }: Server, contenders: readonly Contender[], at: number): boolean {
  return about[at] === 'polls' || (about[at] === 'listens' && contenders[at]?.hears === true)
}

function isAlive(contenders: readonly Contender[], at: number): boolean {
  const phase = phaseOf(contenders, at)
  return isHeeding(phase) || phase === 'entering'
}

/** Whoever has gone regularly has left nothing behind. */
export function ghostIn({ server, contenders }: QueueState, partners: readonly number[]): string | null {
  const ghost = contenders.findIndex(({ phase, stray, strayPass }, at) => {
    const isOver = phase === 'idle' && stray === 'none' && !strayPass
    const partner = contenders[partners[at] ?? nobody]
    return isOver && partner?.strayPass !== true && isKnown(server, at)
  })
  return ghost < 0 ? null : `${nameOf(ghost)} has gone, and is still known to the server`
}
