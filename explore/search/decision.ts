import type { Status } from 'lockstep/ports'
import type { Row } from '../model/world.ts'

/** What a durable status may become. */
const mayFollow: Readonly<Record<Status, readonly Status[]>> = {
  prepared: ['committing', 'rolling-back', 'committed', 'rolled-back'],
  committing: ['committed'],
  'rolling-back': ['rolled-back'],
  committed: [],
  'rolled-back': [],
}

/** A decision that went back, or a branch that was registered after it, or forgotten (law 8). */
export function flipped(before: Row, after: Row): string | null {
  const from = before.shape.transaction
  const to = after.shape.transaction
  if (from === to) return null
  // A running saga is called committing, and has not decided yet.
  const turns = from.pattern === 'saga' && from.status === 'committing' && to.status.startsWith('roll')
  if (from.status !== to.status && !turns && !mayFollow[from.status].includes(to.status))
    return `the durable status went from ${from.status} to ${to.status}`
  const had = branchesIn(from.definition)
  const has = branchesIn(to.definition)
  if (had.some((name) => !has.includes(name))) return 'a registered branch is gone (law 8)'
  const isLate = has.length > had.length && from.status !== 'prepared'
  return isLate ? `a branch was registered while the row was ${from.status} (law 8)` : null
}

function branchesIn(definition: unknown): readonly string[] {
  const { branches = [] } = definition as { readonly branches?: readonly { readonly name: string }[] }
  return branches.map(({ name }) => name)
}
