/**
 * What a worker tells of its leases. Each line is written before anything else happens, and the page cache outlives the process: a
 * `kill -9` loses nothing. Times are of the machine's monotonic clock, which all processes read alike.
 */
import { readFileSync, writeSync } from 'node:fs'

export type LeaseKind = 'mutex' | 'permit' | 'read' | 'write'

export type LockEvent = { readonly id: string; readonly atMs: number } & (
  | { readonly e: 'asked'; readonly kind: LeaseKind; readonly key: string; readonly queues: boolean }
  | { readonly e: 'granted'; readonly token: string; readonly untilMs: number }
  /** Not granted: the code of the error, `timeout` or `aborted`. */
  | { readonly e: 'refused'; readonly how: string; readonly why?: string }
  /** Renewed, and valid until then. */
  | { readonly e: 'proven'; readonly untilMs: number }
  /** The holder has looked at its lease, right before an effect. */
  | { readonly e: 'looked'; readonly leftMs: number }
  | { readonly e: 'lost'; readonly why: string }
  | { readonly e: 'releasing'; readonly leftMs: number }
  | { readonly e: 'released' }
  /** The claim was answered with this value of the fenced register, after it was sent at that time. */
  | { readonly e: 'claimed'; readonly value: number; readonly sentMs: number }
  | { readonly e: 'wrote'; readonly accepted: boolean }
  /** At the end of the run: the last acquire was granted. */
  | { readonly e: 'served'; readonly waitedMs: number }
)

/** Milliseconds of CLOCK_MONOTONIC. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export function writeEvent(file: number, event: LockEvent): void {
  writeSync(file, `${JSON.stringify(event)}\n`)
}

/** The last line may be cut off: its writer was killed. */
export function readEvents(file: string): LockEvent[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as LockEvent)
}
