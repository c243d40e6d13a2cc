import type { LockCapabilities } from 'lockstep/ports'
import type { BackendName } from './backends.ts'
import type { Servers } from './faulty-servers.ts'
import type { Resource } from './resource.ts'
import type { LockStriker } from './striker.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface LockFightSettings {
  readonly backend: BackendName
  readonly seed: number
  /** The fire ends with the first of the two, when a few strikes of each sort were made. */
  readonly seconds: number
  readonly strikesMax: number
  /** One server where three would be usual, and short leases. */
  readonly isShort: boolean
  /** Servers that keep nothing past their end. */
  readonly lossy: boolean
  readonly say: (line: string) => void
}

export interface LockFight {
  readonly settings: LockFightSettings
  readonly ttlMs: number
  /** Of the histories. */
  readonly directory: string
  readonly servers: Servers
  readonly resource: Resource
  readonly workers: readonly WorkerProcess[]
  readonly striker: LockStriker
  readonly promised: Pick<LockCapabilities, 'fair' | 'sharing'>
  /** What must not be, and is no matter of the histories. */
  readonly troubles: string[]
}
