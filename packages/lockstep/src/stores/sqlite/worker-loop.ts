import { parentPort } from 'node:worker_threads'
import { invariant, type LockstepError } from '../../errors.ts'
import { openDatabase } from './open-database.ts'
import { sqliteClaim } from './sqlite-claim.ts'
import { fieldsOf, toLockstepError } from './sqlite-errors.ts'
import { sqliteJournal } from './sqlite-journal.ts'
import { sqliteReads } from './sqlite-reads.ts'
import { sqliteRetire } from './sqlite-retire.ts'
import type { WorkerCalls, WorkerReply, WorkerRequest } from './worker-messages.ts'

type Handlers = {
  readonly [Name in Exclude<keyof WorkerCalls, 'open'>]: (argument: WorkerCalls[Name][0]) => WorkerCalls[Name][1]
}

/**
 * The thread that owns the file: one call after the other, each answered once.
 *
 * A failed disk is fail-stop: after the first failure every later call is answered with it, and the disk is not asked
 * again. A second fsync may report success for pages that the first one lost.
 */
let handlers: Handlers | null = null
let file = ''
let storeId = ''
let failure: LockstepError | null = null
let queue: Promise<void> = Promise.resolve()

function handlersFor(opened: Awaited<ReturnType<typeof openDatabase>>): Handlers {
  const { database } = opened
  const now = (): number => Date.now()
  const journal = sqliteJournal(database)
  const reads = sqliteReads(database, now)
  return {
    commit({ entries, writer }) {
      opened.requireInPlace()
      return journal(entries, writer)
    },
    claim: sqliteClaim(database, now),
    retire: sqliteRetire(database),
    ...reads,
    heartbeat(owner) {
      opened.requireInPlace()
      return reads.heartbeat(owner)
    },
    close() {
      opened.close()
      return null
    },
  }
}

/** Opening again finds the file as it is: this thread holds its lock already. */
async function open({ path, maxPageCount }: WorkerCalls['open'][0]): Promise<WorkerCalls['open'][1]> {
  file = path
  if (handlers === null) {
    const opened = await openDatabase(path, maxPageCount)
    storeId = opened.storeId
    handlers = handlersFor(opened)
  }
  return { id: storeId, now: Date.now() }
}

async function answer({ call, argument }: WorkerRequest): Promise<unknown> {
  if (failure !== null && call !== 'close') throw failure
  if (call === 'open') return open(argument as WorkerCalls['open'][0])
  if (call === 'close' && handlers === null) return null
  invariant(handlers !== null, 'The store is used before it was opened.')
  return (handlers[call] as (argument: unknown) => unknown)(argument)
}

async function reply(request: WorkerRequest): Promise<WorkerReply> {
  const { sequence } = request
  try {
    return { sequence, answer: await answer(request) }
  } catch (thrown) {
    const error = toLockstepError(thrown, file)
    if (error.code === 'LOCKSTEP_STORE_FAILED') failure = error
    return { sequence, error: fieldsOf(error) }
  }
}

export function listen(): void {
  const port = parentPort
  invariant(port !== null, 'The SQLite worker runs in a worker thread only.')
  port.on('message', (request: WorkerRequest) => {
    queue = queue.then(async () => {
      port.postMessage(await reply(request))
      if (request.call === 'close') port.close()
    })
  })
}
