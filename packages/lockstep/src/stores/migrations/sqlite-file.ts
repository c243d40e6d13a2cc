import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LockstepError, messageOf } from '../../errors.ts'
import { migrationTable } from './migrations.ts'

/** A store file that this process alone may use until `close`. */
export interface OwnedSqliteFile {
  readonly database: DatabaseSync
  /**
   * Throws `LOCKSTEP_STORE_FAILED` when the path no longer leads to the file that is open. SQLite goes on writing to a file that was
   * removed or replaced, and after a restart everything it has answered since would be gone.
   */
  requireInPlace(): void
  close(): void
}

/**
 * Opens the file and owns it for the life of this process, through an exclusive transaction on the sibling
 * `<path>.lock`: the operating system frees that lock even on `kill -9`, and readers of the file itself go on.
 */
export function openOwnedFile(path: string): OwnedSqliteFile {
  const file = resolve(path)
  checkPlace(file)
  const lock = takeLock(file)
  try {
    const database = new DatabaseSync(file)
    try {
      database.exec('pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full')
      const opened = statSync(file).ino
      const requireInPlace = () => {
        if (inodeOf(file) !== opened) throw gone(file)
      }
      return { database, requireInPlace, close: () => closeAll(database, lock) }
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    lock.close()
    throw openFailure(file, error)
  }
}

/** The names of the steps that were applied to this file; none where it is new. */
export function appliedSqliteSteps(database: DatabaseSync): readonly string[] {
  const table = database.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(migrationTable)
  if (table === undefined) return []
  const rows = database.prepare(`select name from ${migrationTable} order by name`).all()
  return rows.map((row) => String(row['name']))
}

function inodeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.ino ?? null
}

function gone(file: string): LockstepError {
  return new LockstepError('LOCKSTEP_STORE_FAILED', {
    message: `The store file ${file} was removed or replaced while it was in use; the coordinator has stopped.`,
    next: 'Put the file back, with its -wal file, and start again. What was answered before it was removed is in it.',
  })
}

function closeAll(database: DatabaseSync, lock: DatabaseSync): void {
  try {
    database.close()
  } finally {
    lock.close()
  }
}

function takeLock(file: string): DatabaseSync {
  const path = `${file}.lock`
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(path)
    lock.exec('pragma busy_timeout = 0; begin exclusive')
    return lock
  } catch (error) {
    lock?.close()
    if (primaryCode(error) !== sqliteBusy) throw openFailure(path, error)
    throw new LockstepError('LOCKSTEP_STORE_LOCKED', {
      message: `Another process owns the store ${file}: it holds ${path}.`,
      cause: error,
    })
  }
}

function checkPlace(file: string): void {
  const directory = dirname(file)
  if (!existsSync(directory)) {
    throw configuration(`The directory ${directory} of the store does not exist.`, `Create it: mkdir -p ${directory}`)
  }
  if (!existsSync(file)) return
  if (statSync(file).isDirectory()) {
    throw configuration(`The store path ${file} is a directory.`, 'Name a file, such as ./lockstep.db.')
  }
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw configuration(
      `The store file ${file} cannot be read and written by this user.`,
      'Give this user the file, or start as its owner.',
      error,
    )
  }
}

const sqliteBusy = 5
const sqliteNotADatabase = 26

function openFailure(file: string, error: unknown): LockstepError {
  if (primaryCode(error) === sqliteNotADatabase) {
    return configuration(
      `The store file ${file} is not an SQLite database.`,
      'Name another file, or move this one away.',
      error,
    )
  }
  return configuration(
    `The store file ${file} cannot be opened: ${messageOf(error)}.`,
    'Check the path, its rights and the disk.',
    error,
  )
}

function configuration(message: string, next: string, cause?: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message, next, cause })
}

/** SQLite's primary result code, or null where the error is none of SQLite's. */
export function primaryCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : null
}
