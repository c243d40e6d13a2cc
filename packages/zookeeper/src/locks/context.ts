import type { LockAsk, LockEnvironment } from 'lockstep/ports'
import type { AclEntry } from '../wire/acl.ts'
import type { AskPatience } from './ask-patience.ts'
import type { LockSession } from './lock-session.ts'
import type { LockPaths } from './paths.ts'

/** What every recipe works with. */
export interface RecipeContext {
  readonly paths: LockPaths
  /** Of every node that is made here. */
  readonly acl: readonly AclEntry[]
  readonly environment: LockEnvironment
}

/** One ask on one session. */
export interface Attempt extends RecipeContext {
  readonly ask: LockAsk
  readonly session: LockSession
  readonly patience: AskPatience
}
