import type { SimulatedNode } from '@lockstep/testkit'
import type { Branch, Coordination, Initiator } from 'lockstep'
import type { CheckBackDefinition, Transport } from 'lockstep/ports'
import { initiatorOver, localBranch } from 'lockstep/testing'
import type { Installation } from './installation.ts'
import { remoteCoordination } from './remote-coordination.ts'
import { timeOf } from './wire-time.ts'

/** A process that begins transactions: with a coordinator inside, or at the other end of a wire. It may die at any await. */
export interface InitiatingProcess {
  readonly node: SimulatedNode
  readonly initiator: Initiator<Branch>
  readonly coordination: Coordination
  /** Its way to the participants. */
  readonly transport: Transport
}

/** The real initiator over a wire. `checkBack` is this process's own. */
export function remoteInitiator(
  installation: Installation,
  node: SimulatedNode,
  checkBack: CheckBackDefinition | null,
): InitiatingProcess {
  const coordination = remoteCoordination(installation, node)
  const transport = installation.network(node, installation.serviceNames)
  const surroundings = installation.surroundings(node)
  const initiator = initiatorOver<Branch>({
    coordination,
    transport,
    environment: node.environment,
    timeOf,
    checkBack,
    openLocal: (facts) => localBranch({ ...facts, traceparent: null, surroundings }),
  })
  return { node, initiator, coordination, transport }
}

/** The real coordinator with its own initiator, or null while that one is down. */
export function embeddedInitiator(installation: Installation, number: number): InitiatingProcess | null {
  const there = installation.running(number)
  if (there === null) return null
  const { node, coordinator } = there
  const transport = installation.network(node, installation.reachOf(number))
  return { node, initiator: coordinator, coordination: coordinator, transport }
}

/** A pause of the process itself: it may die in it. */
export function pauseOf(node: SimulatedNode, ms: number): Promise<void> {
  return new Promise((resolve) => node.deliver(ms, 'goes on', resolve))
}
