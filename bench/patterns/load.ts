/** A closed loop: so many transactions at once, each answered before the next one starts. */
import { percentile } from '../measuring/spread.ts'
import type { RunOne } from './pattern.ts'

export interface LoadOptions {
  readonly inFlight: number
  /** Whichever comes first ends the loop. */
  readonly seconds: number
  readonly countMax: number
}

export interface LoadResult {
  readonly ended: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Applied writes of the transactions' rows, as each answer tells by its version. */
  readonly rowWrites: number
}

let loads = 0

export async function load({ inFlight, seconds, countMax }: LoadOptions, run: RunOne): Promise<LoadResult> {
  loads += 1
  const prefix = `b${process.pid}-${loads}`
  const latencies: number[] = []
  let begun = 0
  let rowWrites = 0
  const startedMs = performance.now()
  const untilMs = startedMs + seconds * 1_000
  const worker = async (): Promise<void> => {
    for (let sentMs = performance.now(); sentMs < untilMs && begun < countMax; ) {
      begun += 1
      const version = await run(`${prefix}-${begun}`)
      rowWrites += version
      const answeredMs = performance.now()
      latencies.push(answeredMs - sentMs)
      sentMs = answeredMs
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  const perSecond = (latencies.length / (performance.now() - startedMs)) * 1_000
  const [p50Ms, p99Ms] = [percentile(latencies, 0.5), percentile(latencies, 0.99)]
  return { ended: latencies.length, perSecond, p50Ms, p99Ms, rowWrites }
}
