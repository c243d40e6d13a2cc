/** `end`: only the connections, by the server. `fail-over`: a replica that lags becomes the master. */
export type ServerFault = 'kill' | 'pause' | 'end' | 'fail-over'

export interface ServerStrike {
  readonly forMs: number
  /** Of 0 to 1: chooses among the servers. */
  readonly share: number
  /** Resolves when somebody works under a lease, or in a while all the same. */
  untilHeld(): Promise<void>
}

export interface Servers {
  readonly ports: readonly number[]
  readonly database: string
  readonly faults: readonly ServerFault[]
  /** False where they may forget what they have answered: a name may then have two holders at once. */
  readonly excludes: boolean
  /** Resolves when the servers serve again. */
  strike(fault: ServerFault, how: ServerStrike): Promise<void>
  /** Keys, nodes and rows of locks, besides counters; empty where `inspect` sees everything. */
  leftovers(): Promise<readonly string[]>
  stop(): Promise<void>
}
