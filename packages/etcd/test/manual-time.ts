import { type LockEnvironment, silentLogger } from 'lockstep/ports'

/** A clock that stands still until it is moved; what falls due on the way fires in order. */
export function manualTime() {
  let nowMs = 1_000
  const planned = new Set<{ readonly atMs: number; readonly fire: () => void }>()
  const environment: LockEnvironment = {
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after(delayMs, fire) {
        const timer = { atMs: nowMs + delayMs, fire }
        planned.add(timer)
        return { cancel: () => planned.delete(timer) }
      },
    },
    random: { fraction: () => 0.5, hex: (bytes) => 'ab'.repeat(bytes) },
    log: silentLogger,
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    environment,
    timers: () => planned.size,
    now: () => nowMs,
    /** As a process that was stopped: the clock runs, and no timer fires. */
    stall(forMs: number) {
      nowMs += forMs
    },
    async advance(forMs: number) {
      const untilMs = nowMs + forMs
      for (;;) {
        await settle()
        const [next] = [...planned].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (next === undefined) break
        planned.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.fire()
      }
      nowMs = Math.max(nowMs, untilMs)
      await settle()
    },
  }
}
