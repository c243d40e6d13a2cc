import type { Operation, Outcome, Transaction } from 'lockstep/ports'

/** Words of a trace. */

export function spokenCall({ branch, operation }: { readonly branch: string; readonly operation: Operation }): string {
  return `${operation} of ${branch}`
}

export function spokenMoment(moment: 'early' | 'late'): string {
  return moment === 'late' ? ' (its time has come)' : ''
}

export function spokenOutcome(outcome: Outcome): string {
  if (outcome.kind === 'refused') return `refused (${(outcome.reason as { readonly code: string }).code})`
  if (outcome.kind === 'unknown') return `unknown (${outcome.code ?? outcome.error})`
  if (outcome.kind !== 'done' || outcome.output === null) return outcome.kind
  return `done (${(outcome.output as { readonly decision: string }).decision})`
}

/** `rolling-back [debit done, credit active]` */
export function spokenTransaction({ status, held, definition, state }: Transaction): string {
  const names = listIn(definition).map(({ name }) => name)
  const branches = listIn(state).map((branch, position) => `${names[position]} ${branch.state}`)
  const hold = held === null ? '' : `, held: ${held.reason}`
  return `${status}${hold}${branches.length === 0 ? '' : ` [${branches.join(', ')}]`}`
}

type List = readonly { readonly name?: string; readonly state?: string }[]

function listIn(part: unknown): List {
  const { steps, branches, deliveries } = part as { readonly [key: string]: List | undefined }
  return steps ?? branches ?? deliveries ?? []
}
