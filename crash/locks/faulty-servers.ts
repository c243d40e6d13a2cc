/** `end`: only the connections, by the server. `fail-over`: a replica that lags becomes the master. */
export type ServerFault = 'kill' | 'pause' | 'end' | 'fail-over'

export interface Servers {
  readonly ports: readonly number[]
  readonly database: string
  readonly faults: readonly ServerFault[]
  /** Resolves when the servers serve again. `share` of 0 to 1 chooses among them. */
  strike(fault: ServerFault, how: { readonly forMs: number; readonly share: number }): Promise<void>
  /** Keys, nodes and rows of locks, besides counters; empty where `inspect` sees everything. */
  leftovers(): Promise<readonly string[]>
  stop(): Promise<void>
}
