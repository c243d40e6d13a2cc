import { Worker } from 'node:worker_threads'
import { LockstepError, messageOf } from '../../errors.ts'
import { errorFrom } from './sqlite-errors.ts'
import type { WorkerCallName, WorkerCalls, WorkerReply, WorkerRequest } from './worker-messages.ts'

interface Waiter {
  resolve(answer: unknown): void
  reject(error: LockstepError): void
}

export interface WorkerClient {
  call<Name extends WorkerCallName>(call: Name, argument: WorkerCalls[Name][0]): Promise<WorkerCalls[Name][1]>
}

/** Starts the thread. It keeps the process alive only while a call is out. */
export function workerClient(path: string): WorkerClient {
  const waiters = new Map<number, Waiter>()
  const worker = new Worker(workerUrl(), { execArgv: workerFlags() })
  let sequence = 0
  let ended: LockstepError | null = null
  worker.unref()
  worker.on('message', (reply: WorkerReply) => {
    const waiter = waiters.get(reply.sequence)
    waiters.delete(reply.sequence)
    if (waiters.size === 0) worker.unref()
    if ('error' in reply) waiter?.reject(errorFrom(reply.error))
    else waiter?.resolve(reply.answer)
  })
  const end = (reason: string): void => {
    ended ??= new LockstepError('LOCKSTEP_STORE_FAILED', {
      message: `The thread of the store ${path} ended: ${reason}.`,
    })
    for (const waiter of waiters.values()) waiter.reject(ended)
    waiters.clear()
  }
  worker.on('error', (error) => end(messageOf(error)))
  worker.on('exit', () => end('it was closed'))
  return {
    call: (call, argument) =>
      new Promise((resolve, reject) => {
        if (ended !== null) return reject(ended)
        sequence += 1
        waiters.set(sequence, { resolve: (answer) => resolve(answer as never), reject })
        worker.ref()
        const request: WorkerRequest = { sequence, call, argument }
        worker.postMessage(request)
      }),
  }
}

/** Under Node 24 the sources run as they are; what is published has been compiled. */
function workerUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./sqlite-worker.${extension}`, import.meta.url)
}

/** The flags of this process, such as its conditions, without the one that only goes with `--eval`. */
function workerFlags(): string[] {
  return process.execArgv.filter((flag) => !flag.startsWith('--input-type'))
}
