import type { Call, Outcome, ParticipantDefinition, ParticipantSurroundings, Transport } from 'lockstep/ports'
import type { RandomStream } from './random-streams.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** What a network between processes does: requests and replies get lost, late, twice, and in any order. */
export interface NetworkFaults {
  readonly lostRequest: number
  readonly lostReply: number
  readonly duplicate: number
  readonly delayMaxMs: number
  readonly failedAfterEffect: number
}

/** What a process of a service answers with. */
export interface ServedProcess {
  readonly node: SimulatedNode
  readonly participants: ReadonlyMap<string, ParticipantDefinition>
  readonly surroundings: ParticipantSurroundings
}

/** A service: whichever of its processes takes the next request. Null while it is down. */
export interface SimulatedService {
  process(): ServedProcess | null
}

export interface NetworkWatch {
  left(node: SimulatedNode, call: Call): void
  /** Right before the participant runs. Answers a note for `answered`. */
  arrived(call: Call): boolean
  answered(call: Call, outcome: Outcome, note: boolean): void
}

export interface NetworkParts {
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly faults: () => NetworkFaults
  readonly services: ReadonlyMap<string, SimulatedService>
  readonly watch: NetworkWatch
}

/** The transport of one process. `reaches` are the services it knows. */
export function faultyNetwork(parts: NetworkParts, node: SimulatedNode, reaches: readonly string[]): Transport {
  const canCall = (target: string): boolean => reaches.includes(serviceOf(target))
  return {
    canCall,
    endpointOf: serviceOf,
    close: () => Promise.resolve(),
    call(call) {
      if (!canCall(call.target))
        return Promise.resolve({ kind: 'unknown', error: `no way to ${call.target}`, unreached: true })
      parts.watch.left(node, call)
      return new Promise((resolve) => {
        const settle = (outcome: Outcome) => resolve(outcome)
        node.deliver(call.timeoutMs, 'call timeout', () =>
          settle({ kind: 'unknown', error: 'no answer', code: 'timeout' }),
        )
        const service = parts.services.get(serviceOf(call.target))
        if (service !== undefined) send(parts, service, { call, node, settle, fate: 'open' })
      })
    },
  }
}

/** A check-back goes by the name of its service alone. */
function serviceOf(target: string): string {
  return target.split('.', 1)[0] ?? target
}

interface Sending {
  readonly call: Call
  readonly node: SimulatedNode
  readonly settle: (outcome: Outcome) => void
  /** What has become of the copies so far: a refused socket has carried nothing, and one that carried was not refused. */
  fate: 'open' | 'refused' | 'arrived'
}

function send(parts: NetworkParts, service: SimulatedService, sending: Sending): void {
  const { random, faults, scheduler } = parts
  const { lostRequest, duplicate, delayMaxMs } = faults()
  const lost = random.chance('lost-request', lostRequest)
  const twice = random.chance('duplicate', duplicate)
  const delayMs = random.integer('request-delay', 0, delayMaxMs)
  const secondMs = random.integer('duplicate-delay', 0, 3 * delayMaxMs)
  if (!lost) scheduler.after(delayMs, arrival(sending.call), () => arrive(parts, service, sending))
  if (twice)
    scheduler.after(delayMs + secondMs, `${arrival(sending.call)} (duplicate)`, () => arrive(parts, service, sending))
}

function arrival({ operation, transaction, branch, attempt }: Call): string {
  return `${operation} ${transaction}/${branch}#${attempt} arrives`
}

function arrive(parts: NetworkParts, service: SimulatedService, sending: Sending): void {
  const { call, node, settle } = sending
  const { random, faults, watch } = parts
  const there = service.process()
  const { lostReply, failedAfterEffect, delayMaxMs } = faults()
  const backMs = random.integer('reply-delay', 0, delayMaxMs)
  if (sending.fate === 'refused') return
  if (there === null) {
    // The caller has been heard by the first copy: that the second one finds nobody is not told to anyone.
    if (sending.fate === 'arrived') return
    sending.fate = 'refused'
    const outcome = { kind: 'unknown', error: 'connection refused', unreached: true } as const
    node.deliver(backMs, 'connection refused', () => settle(outcome))
    return
  }
  sending.fate = 'arrived'
  const participant = there.participants.get(call.target)
  if (participant === undefined) throw new Error(`no participant ${call.target}`)
  const { store, transaction, branch, attempt, begunAt, traceparent } = call
  const seen = { store, transaction, branch, attempt, begunAt, traceparent }
  there.node.deliver(0, arrival(call), () => {
    const note = watch.arrived(call)
    void participant.run(call.operation, structuredClone(call.input), seen, there.surroundings).then((outcome) => {
      if (!there.node.alive) return
      watch.answered(call, outcome, note)
      if (random.chance('lost-reply', lostReply)) return
      const failed = random.chance('failed-after-effect', failedAfterEffect)
      const answer: Outcome = failed ? { kind: 'unknown', error: '502' } : outcome
      node.deliver(backMs, `reply ${call.operation} ${transaction}/${branch}: ${answer.kind}`, () => settle(answer))
    })
  })
}
