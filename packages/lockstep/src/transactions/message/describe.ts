import type { BranchView, Description, Json, Transaction } from '../../ports/index.ts'
import { localBranch } from '../../protocol/headers.ts'
import type { Message } from './definition.ts'

/** One branch per delivery, in the order given; then the producer's own, once it was asked. */
export function describe(transaction: Transaction): Description {
  const message = transaction as Message
  const branches: BranchView[] = message.definition.deliveries.map(({ name }, position) => {
    const delivery = message.state.deliveries[position]
    return { name, state: delivery?.state ?? 'waiting', output: delivery?.output ?? null }
  })
  const outputs = branches
    .filter((branch) => branch.state === 'done')
    .map(({ name, output }) => [name, output] as const)
  return {
    branches: [...branches, ...checkOf(message)],
    output: message.status === 'committed' ? (Object.fromEntries(outputs) as Json) : null,
    incomplete: message.state.deliveries.some(({ state, escalation }) => state === 'skipped' || escalation !== null),
  }
}

function checkOf({ status, state }: Message): BranchView[] {
  const { tries, flight } = state.check
  if (tries.count === 0 && flight === null) return []
  return [{ name: localBranch, state: status === 'prepared' ? 'active' : 'done', output: null }]
}
