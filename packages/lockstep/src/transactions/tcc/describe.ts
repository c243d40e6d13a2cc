import type { Description, Json, Transaction } from '../../ports/index.ts'
import type { Tcc } from './definition.ts'

/** One branch per registration, in their order; at the end what the confirms have answered, by name. */
export function describe(transaction: Transaction): Description {
  const { definition, state, status } = transaction as Tcc
  const branches = definition.branches.map(({ name }, position) => {
    const branch = state.branches[position]
    return { name, state: branch?.state ?? ('waiting' as const), output: branch?.output ?? null }
  })
  const outputs = branches
    .filter((branch) => branch.state === 'done')
    .map(({ name, output }) => [name, output] as const)
  return {
    branches,
    output: status === 'committed' ? (Object.fromEntries(outputs) as Json) : null,
    incomplete: branches.some((branch) => branch.state === 'skipped'),
  }
}
