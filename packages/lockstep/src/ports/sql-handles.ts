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
