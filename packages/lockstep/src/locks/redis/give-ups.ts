import type { LockEnvironment, Timer } from '../../ports/index.ts'
import { waiterLifeMs } from './lua.ts'
import type { GiveUps } from './parts.ts'
import type { Together } from './together.ts'

const againEveryMs = 250

export function giveUpsOver(together: Together, environment: LockEnvironment, timeoutMs: number): GiveUps {
  const { clock, timers } = environment
  const running = new Set<Promise<void>>()
  const paused = new Set<Timer>()
  let isClosed = false
  const attempt: GiveUps['start'] = ({ recipe, member, ttlMs }) => {
    const untilMs = clock.monotonicMs() + Math.max(ttlMs, waiterLifeMs) + timeoutMs
    const once = (): void => {
      const run = together.run('release', recipe, [member], timeoutMs).then(
        () => {},
        () => {
          if (isClosed || clock.monotonicMs() >= untilMs) return
          const timer = timers.after(againEveryMs, () => {
            paused.delete(timer)
            once()
          })
          paused.add(timer)
        },
      )
      running.add(run)
      void run.then(() => running.delete(run))
    }
    once()
  }
  return {
    start: attempt,
    async close() {
      isClosed = true
      for (const timer of paused) timer.cancel()
      await Promise.all(running)
    },
  }
}
