/** One process for each contestant, whatever it is written in, asked one question at a time. */
import { type Child, startChild } from '../setting/child.ts'
import type { Contestant } from './contestants.ts'
import type { Account } from './history.ts'
import { startJava } from './java-process.ts'
import type { LockAnswer, LockQuestion } from './lock-process.ts'
import type { Ways } from './locker.ts'
import type { LockProcess } from './measured-process.ts'
import type { Cycles } from './work.ts'

export async function startLockProcess({ runs }: Contestant, ways: Ways): Promise<LockProcess> {
  if ('java' in runs) return startJava(runs.java, ways)
  const child: Child<LockQuestion, LockAnswer> = startChild(new URL('lock-process.ts', import.meta.url))
  await child.ask({ kind: 'open', locker: runs.locker, ways })
  return {
    pid: child.pid,
    cycles: async (options) => (await child.ask({ kind: 'cycles', ...options })) as Cycles,
    contest: async (options) => (await child.ask({ kind: 'contest', ...options })) as Account,
    keep: async (name, leases) => void (await child.ask({ kind: 'keep', name, leases })),
    rest: async (seconds) => (await child.ask({ kind: 'rest', seconds })) as Cycles,
    stop: () => child.stop(),
  }
}
