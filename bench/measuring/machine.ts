import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

/** Where the figures were measured. Without it a figure means nothing; with more of it, it would tell whose machine it was. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly node: string
  readonly sqlite: string
  /** Null where no server is installed: what needs it is left out. */
  readonly postgres: string | null
  /** Processes that wanted a core in the minute before: over 1 on few cores, the absolute figures are too low. */
  readonly loadBefore: number
}

export function describeMachine(postgres: string | null): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release().split('-')[0] ?? ''}`,
    node: process.versions.node,
    sqlite: process.versions['sqlite'] ?? 'unknown',
    postgres,
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}
