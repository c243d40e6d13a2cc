import { LockstepError, messageOf } from '../errors.ts'
import type { LockEnvironment, LockHold } from '../ports/index.ts'

/** A backend that is away is asked again this often to give back what it may hold, until the TTL has passed. */
const againEveryMs = 250

/** What is known after the first try: it is confirmed, or it goes on in the background and `over` says when nobody owns the name any more. */
export type GivenBack =
  | { readonly confirmed: true; readonly wasHeld: boolean }
  | { readonly confirmed: false; readonly error: LockstepError; readonly over: Promise<void> }

/** Gives a hold back, and goes on asking until it is confirmed or nobody can own it by it any more. */
export async function giveBack(
  hold: LockHold,
  { clock, timers }: Pick<LockEnvironment, 'clock' | 'timers'>,
  closing: AbortSignal,
): Promise<GivenBack> {
  // An extension that was not answered may have been applied just before.
  const untilMs = Math.max(clock.monotonicMs() + hold.ttlMs, hold.validUntilMs)
  try {
    return { confirmed: true, wasHeld: await hold.release() }
  } catch (cause) {
    const error = new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
      message: messageOf(cause),
      outcome: 'unknown',
      cause,
    })
    return { confirmed: false, error, over: giveBackLater() }
  }

  function giveBackLater(): Promise<void> {
    return new Promise((resolve) => {
      const again = (): void => {
        // With the connections closed nobody can be asked any more.
        if (clock.monotonicMs() >= untilMs || closing.aborted) resolve()
        else timers.after(againEveryMs, () => hold.release().then(() => resolve(), again))
      }
      again()
    })
  }
}
