import { isLockstepError, LockstepError } from '../../src/index.ts'
import type { LockBackend, LockHold } from '../../src/ports/index.ts'

/** The backend with other holds. */
export function holdingOn(backend: LockBackend, change: (hold: LockHold) => Partial<LockHold>): LockBackend {
  return {
    ...backend,
    contend: async (ask) => {
      const hold = await backend.contend(ask)
      if (hold === null) return null
      const { token } = hold
      const plain: LockHold = {
        token,
        get ttlMs() {
          return hold.ttlMs
        },
        get validUntilMs() {
          return hold.validUntilMs
        },
        extend: (ttlMs) => hold.extend(ttlMs),
        release: () => hold.release(),
        watch() {},
        ...(hold.downgrade && { downgrade: () => hold.downgrade?.() ?? Promise.resolve(null) }),
      }
      return Object.defineProperties(plain, Object.getOwnPropertyDescriptors(change(hold)))
    },
  }
}

export const unavailable = () => new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message: 'no answer' })

/** Null when it does not fail. */
export function codeOf(thrown: Promise<unknown>): Promise<unknown> {
  return thrown.then(
    () => null,
    (error: unknown) => (isLockstepError(error) ? error.code : error),
  )
}
