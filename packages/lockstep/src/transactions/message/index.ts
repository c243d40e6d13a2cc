import type { PatternMachine } from '../../ports/index.ts'
import { describe } from './describe.ts'
import { advance } from './message.ts'
import { plan, planBranch } from './plan.ts'

/** The reliable message, as the coordinator drives it. */
export const messagePattern: PatternMachine = {
  pattern: 'message',
  bodyKeys: ['checkBack', 'checkAfter', 'deliveries', 'deadline'],
  deadlineRestsWhileHeld: false,
  plan,
  planBranch,
  advance,
  describe,
}
