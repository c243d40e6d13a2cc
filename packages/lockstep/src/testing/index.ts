/** Switches for proving that the suites catch known bugs. Exported only under the condition `lockstep-test`. */

/** Parts that a simulation drives by themselves. */
export { Journal } from '../coordinator/journal.ts'
export { armMutant, mutant } from './mutant.armed.ts'
