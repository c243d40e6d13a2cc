import type { Timer, Timers } from '../ports/index.ts'

/** Waits for `work`, but no longer than this. A timer that nobody needs any more would keep a stopped process alive. */
export async function within(work: Promise<unknown>, graceMs: number, timers: Timers): Promise<void> {
  let timer: Timer | undefined
  const late = new Promise<void>((resolve) => {
    timer = timers.after(graceMs, resolve)
  })
  try {
    await Promise.race([work, late])
  } finally {
    timer?.cancel()
  }
}
