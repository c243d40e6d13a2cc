import type { Description, Json, Transaction } from '../../ports/index.ts'
import type { Saga } from './definition.ts'

/** What a saga shows: one branch per step, in the order given, and at the end the outputs by name. */
export function describe(transaction: Transaction): Description {
  const { definition, state, status } = transaction as Saga
  const branches = definition.steps.map((plan, position) => {
    const step = state.steps[position]
    return { name: plan.name, state: step?.state ?? ('waiting' as const), output: step?.output ?? null }
  })
  const output: Record<string, Json> = Object.create(null)
  for (const branch of branches) if (branch.state === 'done') output[branch.name] = branch.output
  return {
    branches,
    output: status === 'committed' ? { ...output } : null,
    incomplete: branches.some((branch) => branch.state === 'skipped'),
  }
}
