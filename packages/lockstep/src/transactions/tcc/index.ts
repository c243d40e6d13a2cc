import type { PatternMachine } from '../../ports/index.ts'
import { describe } from './describe.ts'
import { plan, planBranch } from './plan.ts'
import { advance } from './tcc.ts'

/** The TCC, as the coordinator drives it. */
export const tccPattern: PatternMachine = {
  pattern: 'tcc',
  bodyKeys: ['deadline'],
  deadlineRestsWhileHeld: false,
  plan,
  planBranch,
  advance,
  describe,
}
