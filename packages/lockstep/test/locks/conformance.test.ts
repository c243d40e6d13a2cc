/** The reference backend in memory, in real time. */
import { memoryHarness } from '../../../testkit/src/lock-conformance/memory-harness.ts'
import { testConformance } from './test-conformance.ts'

testConformance(memoryHarness())
