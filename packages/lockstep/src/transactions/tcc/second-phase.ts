import type { Command } from '../../ports/index.ts'
import { leaving, mayLeave } from '../errand.ts'
import { callTimeoutMs } from '../reading.ts'
import { isSettled, type Tcc, withBranch } from './definition.ts'

export function operationOf({ status }: Tcc): 'confirm' | 'cancel' {
  return status === 'committing' ? 'confirm' : 'cancel'
}

/** True when every registered branch has confirmed, or cancelled, or was skipped, and no call is on its way. */
export function isOver(tcc: Tcc): boolean {
  if (tcc.status === 'prepared') return false
  return tcc.state.branches.every((branch) => isSettled(branch) && branch.errand.flight === null)
}

/** Lets the confirms, or the cancels, of all branches leave at once: every registered branch, answered or not. */
export function secondPhaseCalls(tcc: Tcc, now: number): { tcc: Tcc; commands: Command[] } {
  let moved = tcc
  const commands: Command[] = []
  const operation = operationOf(tcc)
  for (const [position, plan] of tcc.definition.branches.entries()) {
    const branch = tcc.state.branches[position]
    if (branch === undefined || isSettled(branch) || !mayLeave(branch.errand, now)) continue
    const { errand, number } = leaving(branch.errand, operation)
    moved = withBranch(moved, position, { state: 'active', errand })
    const target = plan[operation]
    const { name, input } = plan
    commands.push({
      kind: 'call',
      branch: name,
      operation,
      number,
      target,
      input,
      timeoutMs: callTimeoutMs,
      needs: 'status',
    })
  }
  return { tcc: moved, commands }
}
