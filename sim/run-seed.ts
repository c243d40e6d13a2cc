import { banNondeterminism } from '@lockstep/testkit'
import type { SeedOutcome, Workload } from './workload.ts'

export interface SeedResult extends SeedOutcome {
  readonly seed: number
  readonly workload: string
  readonly logHash: string
  readonly log: readonly string[]
}

/** Runs one seed once, under the ban on whatever would make two runs differ. */
export async function runSeed(seed: number, workload: Workload, keepLog: boolean): Promise<SeedResult> {
  const log: string[] = []
  let logHash = 0x811c9dc5
  const note = (line: string) => {
    if (keepLog) log.push(line)
    for (let i = 0; i < line.length; i++) logHash = Math.imul(logHash ^ line.charCodeAt(i), 0x01000193)
  }
  const lift = banNondeterminism()
  try {
    const outcome = await workload.run(seed, note)
    return { seed, workload: workload.name, ...outcome, logHash: (logHash >>> 0).toString(16), log }
  } finally {
    lift()
  }
}
