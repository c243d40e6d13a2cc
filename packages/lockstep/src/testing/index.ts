/** Switches for proving that the suites catch known bugs. Exported only under the condition `lockstep-test`. */

/** Parts that a simulation drives by themselves. */
export { Changes } from '../coordinator/changes.ts'
export { Driver } from '../coordinator/driver.ts'
export { Journal } from '../coordinator/journal.ts'
/** What the explorer searches every schedule of: the machines, the barrier's rules, and when a call may leave. */
export { isJustified } from '../coordinator/justified.ts'
export { StoreClock } from '../coordinator/store-clock.ts'
export { passBarrier } from '../participant/barrier.ts'
export { localBranch } from '../participant/index.ts'
export { initiatorOver } from '../transactions/initiator.ts'
export { messagePattern } from '../transactions/message/index.ts'
export { sagaPattern } from '../transactions/saga/index.ts'
export { tccPattern } from '../transactions/tcc/index.ts'
export { inProcessTransport, routingTransport } from '../transports/index.ts'
export { armMutant, mutant } from './mutant.armed.ts'
