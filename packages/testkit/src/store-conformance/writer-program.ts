/**
 * A process that writes to an SQLite store until it is killed: `node writer-program.ts <path>`. It prints the number
 * of every batch after the store has acknowledged it, so that whoever kills it knows what must be there afterwards.
 */
import { writeSync } from 'node:fs'
import { sqliteStore } from 'lockstep/sqlite'
import { insert, writerOf } from './sample-rows.ts'

const [path = ''] = process.argv.slice(2)
const store = sqliteStore({ path })
await store.open()
const writer = writerOf(store, 'killed')
writeSync(1, 'open\n')
for (let batch = 0; ; batch++) {
  await writer.commit(
    insert(`killed-${batch}-a`, { owner: 'killed' }),
    insert(`killed-${batch}-b`, { owner: 'killed' }),
  )
  writeSync(1, `${batch}\n`)
}
