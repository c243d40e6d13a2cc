/** An initiator's own database, in which a message's local transaction writes one business row and one barrier row. */
import { DatabaseSync } from 'node:sqlite'
import type { Branch } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'

export interface LocalDatabase {
  readonly database: DatabaseSync
  readonly path: string
  readonly write: (branch: Branch) => Promise<unknown>
}

export function openLocal(path: string): LocalDatabase {
  const database = new DatabaseSync(path)
  database.exec(`pragma journal_mode = wal; pragma synchronous = full; ${barrierSql('sqlite')}
    create table if not exists ledger (account text not null, amount integer not null)`)
  const note = database.prepare('insert into ledger values (?, ?)')
  const write = (branch: Branch): Promise<unknown> =>
    branch.transact(database, async () => {
      note.run('account', 25)
      return {}
    })
  return { database, path, write }
}
