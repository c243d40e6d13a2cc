/** What a person does to a transaction. */
import type { RandomStream } from '@lockstep/testkit'
import type { ActionRequest } from 'lockstep'
import type { Held, OperatorAction } from 'lockstep/ports'

const reason = 'simulated'

/** One action, with what has to come before it: only what is held can be skipped. */
export function drawActions(
  random: RandomStream,
  actions: readonly OperatorAction[],
  branches: readonly string[],
): readonly ActionRequest[] {
  const action = random.pick('action', actions)
  const branch = random.pick('branch', branches)
  if (action === 'skip')
    return [
      { action: 'hold', reason },
      { action, branch, reason },
    ]
  const names = action === 'retry' && random.chance('one branch', 0.5)
  return [names ? { action, branch, reason } : { action, reason }]
}

/** A resume, or whatever else the workload allows. What has lost its output to a skip is cured by force alone. */
export function drawCure(
  random: RandomStream,
  actions: readonly OperatorAction[],
  branches: readonly string[],
  held: Held,
): ActionRequest {
  if (held.reason === 'output-missing')
    return { action: random.pick('cure', ['force-commit', 'force-rollback'] as const), reason }
  const action = random.pick('cure', ['resume', 'resume', ...actions] as const)
  return action === 'skip' ? { action, branch: random.pick('branch', branches), reason } : { action, reason }
}
