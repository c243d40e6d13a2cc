import type { Account } from './history.ts'
import type { ContestOptions, Cycles, CyclesOptions } from './work.ts'

/** A process of one contestant, whatever it is written in. */
export interface LockProcess {
  readonly pid: number
  cycles(options: CyclesOptions): Promise<Cycles>
  contest(options: ContestOptions): Promise<Account>
  keep(name: string, leases: number): Promise<void>
  rest(seconds: number): Promise<Cycles>
  stop(): Promise<void>
}
