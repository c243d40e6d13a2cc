export { banNondeterminism } from './ban.ts'
export {
  faultyNetwork,
  type NetworkFaults,
  type NetworkParts,
  type NetworkWatch,
  type ServedProcess,
  type SimulatedService,
} from './faulty-network.ts'
export { faultyStore, type SharedStore, type StoreFaults, type StoreWatch } from './faulty-store.ts'
export { RandomStream, RandomStreams } from './random-streams.ts'
export { Scheduler } from './scheduler.ts'
export { sha256 } from './sha-256.ts'
export { type NodeFaults, type NodeParts, SimulatedNode, serviceClock } from './simulated-node.ts'
