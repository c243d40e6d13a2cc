/**
 * Shapes of handles that the user already owns, so that no adapter adds a dependency. Only what Lockstep calls is named.
 */

export interface PgResult {
  readonly rows: Record<string, unknown>[]
  readonly rowCount: number | null
}

export interface PgClientHandle {
  query(text: string, values?: unknown[]): Promise<PgResult>
}

export interface PgPooledClientHandle extends PgClientHandle {
  release(destroy?: boolean | Error): void
}

/** `Pool` of the package pg, 8.11 or newer. */
export interface PgPoolHandle<Client extends PgPooledClientHandle = PgPooledClientHandle> {
  connect(): Promise<Client>
  readonly totalCount: number
  /** Tells of every new connection before anybody is given it. */
  on?(event: 'connect', listener: (client: Client) => void): unknown
}

export type PgNotificationListener = (message: {
  readonly channel: string
  readonly payload?: string | undefined
}) => void

/** A connection of such a pool that is kept for long: what it tells while nobody asks is heard. */
export interface PgKeptClientHandle extends PgPooledClientHandle {
  /** The server's process behind the connection, as it was told at the start; behind a pooler that says nothing. */
  readonly processID?: number | null
  on(event: 'notification', listener: PgNotificationListener): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  removeListener(event: 'notification', listener: PgNotificationListener): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'end', listener: () => void): unknown
}

/** `DatabaseSync` of node:sqlite. */
export interface SqliteHandle {
  exec(sql: string): void
  prepare(sql: string): {
    run(...values: never[]): { changes: number | bigint }
    get(...values: never[]): unknown
    all(...values: never[]): unknown[]
  }
}
