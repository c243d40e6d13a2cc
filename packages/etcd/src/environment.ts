import type { Clock, Random, Timers } from 'lockstep/ports'

/** What may differ between two runs: time and chance. The socket is the third, and is always a real one. */
export interface ClientEnvironment {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly timers: Timers
  readonly random: Pick<Random, 'fraction'>
}

export const realEnvironment: ClientEnvironment = {
  clock: { monotonicMs: () => performance.now() },
  timers: {
    after(delayMs, fire) {
      const timer = setTimeout(fire, Math.min(delayMs, 2_147_483_647))
      return { cancel: () => clearTimeout(timer) }
    },
  },
  random: { fraction: () => Math.random() },
}
