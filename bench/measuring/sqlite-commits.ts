import { closeSync, existsSync, openSync, readSync } from 'node:fs'

const changeCounterAt = 8

/**
 * Durable commits of a database in WAL mode by SQLite's own count, from outside and at no cost: the index of the WAL, which every process
 * that opens the file shares, counts each transaction that was committed (`iChange` in SQLite's wal.c). It starts at 0 when
 * somebody opens a file that nobody had open.
 */
export function sqliteCommits(path: string): number {
  if (!existsSync(`${path}-shm`)) return 0
  const index = openSync(`${path}-shm`, 'r')
  try {
    const counter = Buffer.alloc(4)
    readSync(index, counter, 0, 4, changeCounterAt)
    return counter.readUInt32LE(0)
  } finally {
    closeSync(index)
  }
}
