import { type LockstepError, type Logger, messageOf } from 'lockstep'
import { jsonLog } from './json-log.ts'
import { type RunningServer, serve } from './serve.ts'
import type { Settings } from './settings.ts'
import { storeName } from './store-name.ts'

/** After a failed disk, callers that wait are told so within this time; then the process ends. */
const lastWordsMs = 500

type Ending =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'failed'; readonly error: LockstepError }

/** Runs the coordinator until a signal or a failed disk ends it, and answers the exit code. Throws when it cannot start. */
export async function runServer(settings: Settings, output: { readonly json: boolean }): Promise<0 | 1> {
  const logger = jsonLog(settings.logLevel)
  const { promise: ending, resolve: end } = Promise.withResolvers<Ending>()
  onBugs(logger)
  onSignals((signal) => end({ kind: 'signal', signal }))
  const server = await serve({ settings, logger, onFailed: (error) => end({ kind: 'failed', error }) })
  sayWhere(server, settings, output)
  const ended = await ending
  if (ended.kind === 'failed') return giveUp(server, ended.error)
  logger.info({ signal: ended.signal }, 'stopping')
  await server.stop()
  logger.info({}, 'stopped')
  // Whatever may still hold the process open is not worth waiting for.
  setTimeout(() => process.exit(0), lastWordsMs).unref()
  return 0
}

function sayWhere({ url }: RunningServer, settings: Settings, { json }: { readonly json: boolean }): void {
  const store = storeName(settings.store)
  const line = json
    ? JSON.stringify({ event: 'listening', url, store, pid: process.pid })
    : `lockstep listening on ${url}, store ${store}`
  process.stdout.write(`${line}\n`)
}

/** The first signal asks, the second one insists: whatever is not finished is taken over at the next start. */
function onSignals(first: (signal: NodeJS.Signals) => void): void {
  let asked = false
  const numbers = { SIGINT: 2, SIGTERM: 15 } as const
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(128 + numbers[signal])
      asked = true
      first(signal)
    })
  }
}

/**
 * A promise that nobody awaited concerns one transaction: it stays as it is in the store, and the others go on. After an
 * exception nobody knows what stands, and a restart costs nothing that was answered.
 */
function onBugs(logger: Logger): void {
  const say = (thrown: unknown, message: string): void => {
    const stack = thrown instanceof Error ? thrown.stack : undefined
    logger.error({ code: 'LOCKSTEP_BUG', error: messageOf(thrown), stack }, message)
  }
  process.on('unhandledRejection', (reason) => say(reason, 'a failure that nobody awaited'))
  process.on('uncaughtException', (error) => {
    say(error, 'an exception that nobody caught; the process ends')
    process.exit(1)
  })
}

/** Fail-stop: nothing is promised any more, so the process says why and ends; a restart finds all that was answered. */
async function giveUp(server: RunningServer, error: LockstepError): Promise<1> {
  process.stderr.write(`lockstep: ${error.message} [${error.code}]\n  ${error.next}\n`)
  const late = new Promise<void>((resolve) => setTimeout(resolve, lastWordsMs))
  await Promise.race([server.stop().catch((failed) => process.stderr.write(`lockstep: ${messageOf(failed)}\n`)), late])
  process.exit(1)
}
