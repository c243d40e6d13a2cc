import type { NetworkWatch, SimulatedNode } from '@lockstep/testkit'
import { memoryBarrier } from 'lockstep/memory-database'
import type { Call, ParticipantDefinition, Transport } from 'lockstep/ports'
import { inProcessTransport, routingTransport } from 'lockstep/testing'

/** Calls to participants of the own process go to them directly; everything else over the network. */
export function withOwnParticipants(
  network: Transport,
  participants: readonly ParticipantDefinition[],
  by: { readonly node: SimulatedNode; readonly watch: NetworkWatch; readonly barrierRetentionMs: number },
): Transport {
  const { node, watch, barrierRetentionMs } = by
  const direct = inProcessTransport({
    participants,
    environment: node.environment,
    barrierDatabases: [memoryBarrier()],
    barrierRetention: barrierRetentionMs,
  })
  const watched = {
    ...direct,
    async call(call: Call) {
      watch.left(node, call)
      const note = watch.arrived(call)
      const outcome = await direct.call(call)
      watch.answered(call, outcome, note)
      return outcome
    },
  }
  return routingTransport([watched, network])
}
