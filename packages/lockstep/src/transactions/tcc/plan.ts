import type { BranchPlan, Json, Plan, TargetDirectory } from '../../ports/index.ts'
import { Checker, type JsonObject } from '../../protocol/checker.ts'
import { isUrlTarget } from '../../protocol/names.ts'
import { checkTarget, deadlineMaxMs, readBranchName, readDuration, servicesOf } from '../reading.ts'
import type { TccBranch, TccDefinition, TccState } from './definition.ts'

/** Silence until the deadline means rollback, so there always is one. */
export const defaultDeadlineMs = 60_000

const branchKeys = ['name', 'participant', 'confirm', 'cancel', 'input']

/** A TCC begins empty; its branches are registered one by one (protocol.md section 2). */
export function plan(body: JsonObject): Plan {
  const checker = new Checker()
  const deadlineMs = readDuration(checker, body, 'deadline', { maxMs: deadlineMaxMs }) ?? defaultDeadlineMs
  checker.done()
  const definition: TccDefinition = { branches: [] }
  const state: TccState = { branches: [] }
  return { definition, state, status: 'prepared', needs: [], deadlineMs, restsMs: deadlineMs }
}

/** Throws `LOCKSTEP_INVALID_REQUEST` with all that is wrong. */
export function planBranch(body: JsonObject, targets: TargetDirectory): BranchPlan {
  const checker = new Checker()
  checker.keys(body, '', branchKeys)
  const name = readBranchName(checker, body['name'], '/name')
  const second = readSecondPhase(checker, body, targets)
  checker.done()
  const input: Json = body['input'] ?? null
  const work: TccBranch = { name: name ?? '', ...second, input, characters: JSON.stringify(input).length }
  return { name: work.name, work, needs: servicesOf(targets, [work.confirm, work.cancel]) }
}

function readSecondPhase(checker: Checker, body: JsonObject, targets: TargetDirectory) {
  const participant = checker.string(body, 'participant', '')
  const confirm = checker.string(body, 'confirm', '')
  const cancel = checker.string(body, 'cancel', '')
  if (participant !== undefined) {
    if (confirm !== undefined || cancel !== undefined)
      checker.add('/participant', 'brings its own confirm and cancel: give either it, or both URLs')
    if (isUrlTarget(participant))
      checker.add('/participant', 'must be <service>.<name>; URLs go with `confirm` and `cancel`')
  } else {
    const missing = 'is missing: a branch needs `participant`, or both `confirm` and `cancel`'
    if (confirm === undefined) checker.add('/confirm', missing)
    if (cancel === undefined) checker.add('/cancel', missing)
  }
  checkTarget(checker, participant, '/participant', { targets, operations: ['try', 'confirm', 'cancel'] })
  checkTarget(checker, confirm, '/confirm', { targets })
  checkTarget(checker, cancel, '/cancel', { targets })
  return { confirm: participant ?? confirm ?? '', cancel: participant ?? cancel ?? '' }
}
