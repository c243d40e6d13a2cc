import type { IncomingMessage } from 'node:http'
import type { Coordinator, Logger } from 'lockstep'
import type { AlertCount } from './alert-count.ts'

/** One request, as a route sees it. */
export interface ApiCall {
  readonly coordinator: Coordinator
  readonly incoming: IncomingMessage
  /** The transaction of the path; empty where the path has none. */
  readonly id: string
  /** How many alerts this instance has raised. */
  readonly alerts: AlertCount
  readonly logger: Logger
}
