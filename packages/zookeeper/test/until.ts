import { setTimeout as pause } from 'node:timers/promises'
import type { SessionState, ZooKeeper } from '../src/index.ts'

/** Waits for a condition, and says which when it does not come. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`After ${limitMs} ms still not so: ${what}.`)
    await pause(5)
  }
}

/** Resolves when that state is told the next time, however soon another one follows. */
export function nextState(zookeeper: ZooKeeper, wanted: SessionState): Promise<void> {
  return new Promise((resolve) => {
    const end = zookeeper.onChange(({ state }) => {
      if (state !== wanted) return
      end()
      resolve()
    })
  })
}
