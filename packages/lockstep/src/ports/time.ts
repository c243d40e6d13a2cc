/** The wall clock of this process, milliseconds since 1970, and a monotonic clock for measuring. */
export interface Clock {
  now(): number
  /** Milliseconds that only grow; their zero means nothing. */
  monotonicMs(): number
}

export interface Timer {
  cancel(): void
}

/** Runs `fire` once after `delayMs`. A fired or cancelled timer costs nothing more. */
export interface Timers {
  after(delayMs: number, fire: () => void): Timer
}

/** `label` says what the draw is for; the simulator compares two runs draw by draw. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(label: string): number
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number, label: string): string
}

/** SHA-256 of a UTF-8 text as lower-case hex. */
export type Sha256 = (text: string) => string

/** All that differs between two runs of the same code, apart from stores and transports. */
export interface Environment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly sha256: Sha256
}
