import type { AttemptRow } from 'lockstep/ports'
import type { Installation } from './installation.ts'
import { triedIn } from './pattern-state.ts'

/** Every attempt of a coordinator is on record, once: 1, 2, 3 and so on, for each operation of each branch. */
export async function checkAttempts({ store, watcher }: Installation, id: string): Promise<void> {
  const [row] = await store.read([id])
  if (row === undefined || row.expired || row.pattern === 'none') return
  const all = await attemptsOf(store, id, row.state)
  for (const { branch, operation, count, state } of triedIn(row, row.status)) {
    const numbers = all.filter((one) => one.branch === branch && one.operation === operation).map((one) => one.number)
    const isWhole = numbers.sort((one, other) => one - other).every((number, at) => number === at + 1)
    const counted = state === 'skipped' ? numbers.length : count
    if (!isWhole || counted !== numbers.length)
      watcher.violate(`attempts: ${operation} of ${id}/${branch} has ${numbers.join(', ')}, and ${counted} are counted`)
  }
}

/** Those beside the row and those in it. */
export async function attemptsOf(store: Installation['store'], id: string, state: string): Promise<AttemptRow[]> {
  const inline = (JSON.parse(state) as { attempts: readonly AttemptRow[] }).attempts
  return [...(await store.history(id)).attempts, ...inline]
}
