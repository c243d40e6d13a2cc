import type { Locks } from 'lockstep/locks'
import type { LockCapabilities } from 'lockstep/ports'

/** A process that uses the locks: connections of its own. */
export interface LockProcess {
  readonly locks: Locks
  /** Ends as `kill -9` ends it: its connections break, and nothing is given back. */
  crash(): Promise<void>
}

/** A backend, and what a test needs to know of it. */
export interface LockLab {
  readonly capabilities: LockCapabilities
  /** A short TTL that the backend allows; a session backend's own. */
  readonly ttlMs: number
  /** Its leases live as long as its session, whatever TTL is asked for. */
  readonly hasSession: boolean
  /** A dead holder blocks others at most this long, counted from its death. */
  readonly freedAfterMs: number
  process(): Promise<LockProcess>
  /** Keys, nodes or rows with that in their name by which somebody holds or waits; not what only counts tokens. */
  leftovers(name: string): Promise<readonly string[]>
}

export interface LockHarness {
  readonly name: string
  readonly capabilities: LockCapabilities
  open(): Promise<LockLab>
  /** After all cases. */
  dispose(): Promise<void>
}

/** One promise of the contract, as its name says. `name` is a lock's name that no other case uses. */
export interface LockCase {
  readonly name: string
  readonly requires?: 'sharing' | 'fair'
  run(lab: LockLab, name: string): Promise<void>
}

/** The cases that a backend with these capabilities must pass. */
export function casesFor(cases: readonly LockCase[], capabilities: LockCapabilities): readonly LockCase[] {
  return cases.filter(({ requires }) => requires === undefined || capabilities[requires])
}
