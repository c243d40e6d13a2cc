import { type Coordinator, createCoordinator, type LockstepError, type Logger, messageOf } from 'lockstep'
import { migrateUp } from 'lockstep/migrations'
import { alertCount } from '../api/alert-count.ts'
import { createApi } from '../api/create-api.ts'
import { memoryUrl, openStore } from '../compose.ts'
import { type OpenAlerts, openAlerts } from './alerts.ts'
import { type HttpServer, listen } from './http-server.ts'
import type { Settings } from './settings.ts'

/** Answers that are on their way when the coordinator has stopped need no longer than this. */
const lastAnswersMs = 1_000

export interface RunningServer {
  readonly url: string
  /** Stops intake, finishes or hands back what is at work, and ends. */
  stop(): Promise<void>
}

export interface ServeOptions {
  readonly settings: Settings
  readonly logger: Logger
  /** The disk failed. Nothing more is promised; the process should end. */
  readonly onFailed: (error: LockstepError) => void
}

/**
 * The coordinator as a program. The port is taken first: a second server that was started by mistake must not take over
 * transactions before it finds the port in use.
 */
export async function serve({ settings, logger, onFailed }: ServeOptions): Promise<RunningServer> {
  if (settings.init && settings.store !== memoryUrl) await migrateUp(settings.store)
  const store = openStore(settings.store)
  const count = alertCount()
  const alerts = openAlerts(settings.alertWebhook, count, logger)
  const coordinator = createCoordinator({ ...coordinatorOptions(settings), store, logger, alerts, onFailed })
  const http = await listen(createApi({ coordinator, logger, alerts: count }), settings, logger)
  try {
    await coordinator.start()
  } catch (error) {
    await http.close(0)
    // Nothing was begun that could be handed back.
    await store.close().catch(() => {})
    throw error
  }
  return { url: http.url, stop: () => stop({ http, coordinator, alerts }, logger) }
}

function coordinatorOptions({ services, intake, retentionFinished, retentionIds }: Settings) {
  const retention = {
    ...(retentionFinished === undefined ? {} : { finished: retentionFinished }),
    ...(retentionIds === undefined ? {} : { ids: retentionIds }),
  }
  // The library asks for registered services unless told otherwise. This server listens on loopback only, where a begin
  // may name any URL, as with curl at first sight.
  return {
    services,
    urls: 'any',
    retention,
    ...(intake === undefined ? {} : { intake }),
  } as const
}

interface Running {
  readonly http: HttpServer
  readonly coordinator: Coordinator
  readonly alerts: OpenAlerts
}

async function stop({ http, coordinator, alerts }: Running, logger: Logger): Promise<void> {
  http.refuseNew()
  await quietly(coordinator.stop(), logger)
  // Both at once: each has a second for its last words.
  await Promise.all([http.close(lastAnswersMs), quietly(alerts.close(), logger)])
}

async function quietly(ending: Promise<void>, logger: Logger): Promise<void> {
  await ending.catch((error) => logger.warn({ error: messageOf(error) }, 'not everything ended in order'))
}
