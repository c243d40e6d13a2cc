import type { PatternMachine } from '../../ports/index.ts'
import { describe } from './describe.ts'
import { plan, planBranch } from './plan.ts'
import { advance } from './saga.ts'

/** The saga, as the coordinator drives it. */
export const sagaPattern: PatternMachine = {
  pattern: 'saga',
  bodyKeys: ['steps', 'concurrent', 'deadline'],
  deadlineRestsWhileHeld: true,
  plan,
  planBranch,
  advance,
  describe,
}

export { type RunnableSaga, type SagaBuilder, saga } from './builder.ts'
