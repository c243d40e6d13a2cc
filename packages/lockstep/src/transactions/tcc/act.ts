import type { Event } from '../../ports/index.ts'
import { hurried } from '../errand.ts'
import { notAllowed, type Refused } from '../refusal.ts'
import { commit, rollBack } from './decide.ts'
import { isSettled, positionOf, type Tcc, withBranch } from './definition.ts'

type ActEvent = Extract<Event, { kind: 'act' }>
type Acted = { readonly tcc: Tcc } | Refused

/** What an operator may do to a TCC. Force decides what is undecided, and never flips a decision. */
export function act(tcc: Tcc, event: ActEvent): Acted {
  if (tcc.endedAt !== null) return notAllowed(`Transaction ${tcc.id} has ended as ${tcc.status}.`)
  const position = event.branch === null ? -1 : positionOf(tcc, event.branch)
  if (event.branch !== null && position < 0) return notAllowed(`Transaction ${tcc.id} has no branch ${event.branch}.`)
  switch (event.action) {
    case 'retry':
      return { tcc: retry(tcc, position) }
    case 'skip':
      return event.branch === null ? notAllowed('Skip needs the name of a branch.') : skip(tcc, position)
    case 'force-commit':
      return tcc.status === 'prepared' ? { tcc: commit(tcc) } : decided(tcc)
    case 'force-rollback':
      return tcc.status === 'prepared'
        ? { tcc: rollBack(tcc, { branch: null, body: { code: 'forced', reason: event.reason } }) }
        : decided(tcc)
  }
}

function decided({ id, status }: Tcc): Refused {
  return notAllowed(
    `Transaction ${id} is ${status}: force never flips a decision, nor takes it twice. Skip its branches.`,
  )
}

function retry(tcc: Tcc, position: number): Tcc {
  const branches = tcc.state.branches.map((branch, at) =>
    position < 0 || at === position ? { ...branch, errand: hurried(branch.errand) } : branch,
  )
  return { ...tcc, state: { branches } }
}

function skip(tcc: Tcc, position: number): Acted {
  const branch = tcc.state.branches[position]
  if (tcc.status === 'prepared')
    return notAllowed(`Transaction ${tcc.id} is not decided: there is nothing to skip yet.`)
  if (branch === undefined || isSettled(branch))
    return notAllowed(`This branch of ${tcc.id} is ${branch?.state ?? 'unknown'}: there is nothing to skip.`)
  return { tcc: withBranch(tcc, position, { state: 'skipped' }) }
}
