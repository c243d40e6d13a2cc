import { mutant } from '#mutant'
import type { BranchPlan } from '../../ports/index.ts'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { newErrand } from '../errand.ts'
import type { Refused } from '../refusal.ts'
import type { Tcc, TccBranch } from './definition.ts'

const branchesMax = 500
/** All inputs are one text in the store, read and written as one. */
const charactersMax = 4_194_304

/**
 * Law 8: registering and deciding meet on the transaction's row, so a branch is registered before the decision or not at all. The same
 * branch again is no second one.
 */
export function register(tcc: Tcc, plan: BranchPlan): { readonly tcc: Tcc } | Refused | { readonly repeated: true } {
  const known = tcc.definition.branches.find(({ name }) => name === plan.name)
  if (known !== undefined) return isSame(known, plan) ? { repeated: true } : reused(tcc, plan)
  if (tcc.status !== 'prepared' && !mutant('L8-registered-after-decision')) return decided(tcc, plan)
  if (tcc.definition.branches.length >= branchesMax) return full(tcc)
  const work = plan.work as TccBranch
  if (charactersOf(tcc) + work.characters > charactersMax) return tooLarge(tcc)
  const branch = { state: 'waiting' as const, output: null, errand: newErrand }
  return {
    tcc: {
      ...tcc,
      needs: [...new Set([...tcc.needs, ...plan.needs])].sort(),
      definition: { branches: [...tcc.definition.branches, work] },
      state: { branches: [...tcc.state.branches, branch] },
    },
  }
}

function isSame(known: TccBranch, plan: BranchPlan): boolean {
  return canonicalJson(known) === canonicalJson(plan.work)
}

function reused({ id }: Tcc, { name }: BranchPlan): Refused {
  const message = `Branch ${name} of ${id} was registered with other content.`
  return { refusal: { code: 'LOCKSTEP_ID_REUSED', message } }
}

function decided({ id, status }: Tcc, { name }: BranchPlan): Refused {
  const message = `Transaction ${id} is ${status}: branch ${name} comes after the decision.`
  return { refusal: { code: 'LOCKSTEP_DECIDED', message } }
}

function charactersOf({ definition }: Tcc): number {
  return definition.branches.reduce((sum, { characters }) => sum + characters, 0)
}

function tooLarge({ id }: Tcc): Refused {
  const message = `The inputs of the branches of ${id} are more than ${charactersMax} characters together.`
  return { refusal: { code: 'LOCKSTEP_PAYLOAD_TOO_LARGE', message } }
}

function full({ id }: Tcc): Refused {
  const message = `Transaction ${id} has ${branchesMax} branches, the most there may be.`
  return { refusal: { code: 'LOCKSTEP_INVALID_REQUEST', message } }
}
