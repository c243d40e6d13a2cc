import type { LockEnvironment, RedisConnection } from '../../ports/index.ts'
import type { Aborts } from './aborts.ts'
import type { Extensions } from './extensions.ts'
import type { Recipe } from './recipe.ts'
import type { Together } from './together.ts'
import type { WakeUps } from './wake-ups.ts'

/** What all holds and contentions of one backend work with. */
export interface RedisLockParts {
  readonly backend: string
  readonly prefix: string
  readonly connection: RedisConnection
  readonly environment: LockEnvironment
  readonly together: Together
  readonly extensions: Extensions
  /** Null where only asking again tells. */
  readonly wakeUps: WakeUps | null
  readonly replicas: { readonly count: number; readonly timeoutMs: number } | null
  readonly callTimeoutMs: number
  readonly aborts: Aborts
  /** Those that still wait, so that `close` can end them. */
  readonly contentions: Set<{ close(): void }>
  /** Owners whose pass was not answered, until they ask again or are abandoned. */
  readonly unsettled: Set<string>
  readonly giveUps: GiveUps
}

export interface GiveUps {
  /** In the background, until it is answered or nothing can be left: whatever this member holds or waits for is taken away. */
  start(giveUp: { recipe: Recipe; member: string; ttlMs: number }): void
  /** Waits for the tries that are on their way, and starts no others. */
  close(): Promise<void>
}
