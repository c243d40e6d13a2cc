/** The closed sets of words that stand in bodies, queries and commands. A type test compares them with the ports. */
export const statuses = ['prepared', 'committing', 'committed', 'rolling-back', 'rolled-back'] as const

export const patterns = ['saga', 'tcc', 'xa', 'message', 'notification', 'none'] as const

/** What an operator may ask for: the actions of the patterns, and `hold` and `resume`, which go with every one. */
export const actionNames = ['retry', 'hold', 'resume', 'skip', 'force-commit', 'force-rollback'] as const
export type ActionName = (typeof actionNames)[number]

/** Actions that are about one branch: `skip` must name it, `retry` may. */
export const branchActionNames: readonly ActionName[] = ['retry', 'skip']
