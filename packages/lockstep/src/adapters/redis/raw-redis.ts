/**
 * What the adapter of a client package provides: one life of one connection. It neither queues nor resends nor reconnects, since all of that is done once for
 * every package by what stands above it.
 */
export interface RawRedis {
  /** Resolves when the server takes commands; rejects with what the server or the network said. Called once. */
  open(): Promise<void>
  call(args: readonly string[]): Promise<unknown>
  /** Resolves with the acknowledgement of the server. */
  subscribe(channel: string): Promise<void>
  unsubscribe(channel: string): Promise<void>
  /** Ends it at once; calls that are open reject. */
  destroy(): void
}

export interface RawEvents {
  /** It is over, whatever was opened. May come more than once. */
  lost(cause: Error): void
  message(channel: string, text: string): void
}

export type MakeRawRedis = (events: RawEvents) => RawRedis
