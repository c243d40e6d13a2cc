import { LockstepError } from '../../errors.ts'
import type { SqlDialect } from './dialect.ts'
import { schemaSteps } from './migrations.ts'

/** `newer` means that the store knows a step which this program does not. */
export type SchemaState = 'empty' | 'older' | 'current' | 'newer'

export function schemaState(dialect: SqlDialect, applied: readonly string[]): SchemaState {
  const known = schemaSteps[dialect].map((step) => step.name)
  if (applied.some((name) => !known.includes(name))) return 'newer'
  if (applied.length === 0) return 'empty'
  return known.every((name) => applied.includes(name)) ? 'current' : 'older'
}

/** `where` names the store, without credentials. */
export function requireCurrentSchema(state: SchemaState, where: string): void {
  if (state === 'current') return
  const found = {
    empty: 'holds no Lockstep schema yet',
    older: 'has an older schema than this program',
    newer: 'has a newer schema than this program',
  }[state]
  throw new LockstepError('LOCKSTEP_SCHEMA_MISMATCH', {
    message: `The store ${where} ${found}.`,
    next:
      state === 'newer'
        ? 'Start the newer program, or give this one a store of its own.'
        : 'Run `lockstep migrate up --store <url of this store>`, then start again.',
  })
}
