import { LockstepError } from '../../errors.ts'

export type SqlDialect = 'sqlite' | 'postgres'

/** `"schema".` or nothing, to be put before a table's name. SQLite has no schemas. */
export function schemaPrefix(dialect: SqlDialect, schema: string | undefined): string {
  if (schema === undefined) return ''
  if (dialect === 'postgres' && /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(schema)) return `"${schema}".`
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message:
      dialect === 'sqlite'
        ? 'SQLite has no schemas.'
        : `The schema name ${JSON.stringify(schema)} is not a plain identifier.`,
    next: 'Leave the schema out, or use letters, digits and underscores.',
  })
}
