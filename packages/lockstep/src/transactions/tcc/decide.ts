import { mutant } from '#mutant'
import type { Decision, RollbackReason } from '../../ports/index.ts'
import type { Refused } from '../refusal.ts'
import type { Tcc } from './definition.ts'

type Decided = { readonly tcc: Tcc } | Refused | { readonly repeated: true }

/** Law 8: the first decision wins, whoever took it, and also after the deadline. The same one again is answered alike. */
export function decide(tcc: Tcc, decision: Decision): Decided {
  if (tcc.status === 'prepared') return { tcc: decision === 'commit' ? commit(tcc) : rollBack(tcc, cancelled) }
  const isCommit = tcc.status === 'committing' || tcc.status === 'committed'
  if (isCommit === (decision === 'commit')) return { repeated: true }
  if (isCommit) {
    return { refusal: { code: 'LOCKSTEP_ALREADY_COMMITTING', message: `Transaction ${tcc.id} is ${tcc.status}.` } }
  }
  if (mutant('T1-commit-flips-a-rollback') && tcc.status === 'rolling-back') return { tcc: commit(tcc) }
  return { refusal: { code: 'LOCKSTEP_ALREADY_ROLLING_BACK', message: `Transaction ${tcc.id} is ${tcc.status}.` } }
}

const cancelled: RollbackReason = { branch: null, body: { code: 'cancelled' } }

export function commit(tcc: Tcc): Tcc {
  return { ...tcc, status: 'committing' }
}

export function rollBack(tcc: Tcc, reason: RollbackReason): Tcc {
  return { ...tcc, status: 'rolling-back', reason }
}
