import { invariant } from '../../errors.ts'
import { runSteps } from '../migrations/run-steps.ts'
import { requireCurrentSchema, schemaState } from '../migrations/schema-state.ts'
import { NodeSqliteDialect } from '../migrations/sqlite-dialect.ts'
import { appliedSqliteSteps, type OwnedSqliteFile, openOwnedFile } from '../migrations/sqlite-file.ts'

export interface OpenDatabase extends OwnedSqliteFile {
  readonly storeId: string
}

/** Opens and owns the file. A new one gets the schema; one with another schema version is refused. */
export async function openDatabase(path: string, maxPageCount: number | null): Promise<OpenDatabase> {
  const file = openOwnedFile(path)
  try {
    const { database } = file
    const isNew = schemaState('sqlite', appliedSqliteSteps(database)) === 'empty'
    if (isNew) await runSteps('sqlite', new NodeSqliteDialect(database))
    requireCurrentSchema(schemaState('sqlite', appliedSqliteSteps(database)), path)
    if (maxPageCount !== null) database.exec(`pragma max_page_count = ${Math.trunc(maxPageCount)}`)
    const row = database.prepare("select value from lockstep_meta where name = 'store_id'").get()
    invariant(row !== undefined, `The store ${path} has no id.`)
    return { ...file, storeId: String(row['value']) }
  } catch (error) {
    file.close()
    throw error
  }
}
