/**
 * A process that asks for leases, works under them and gives them back, again and again, and writes down what it knows of each. It is
 * stopped, killed, blocked and cut off while it does.
 */
import { openSync } from 'node:fs'
import { armMutant } from 'lockstep/testing'
import { nowMs } from './journal.ts'
import { Workload, type WorkloadSettings } from './workload.ts'

/** What the runner tells it. */
export type WorkerOrder = { readonly blockMs: number } | { readonly finish: true }

export interface WorkerSettings extends Omit<WorkloadSettings, 'file'> {
  readonly file: string
}

const settings = JSON.parse(process.argv[2] ?? '') as WorkerSettings
armMutant(process.env['LOCKSTEP_MUTANT'] ?? null)
const workload = new Workload({ ...settings, file: openSync(settings.file, 'a') })

const orphaned = (): never => process.exit(1)
process.on('disconnect', orphaned)
process.on('message', (order: WorkerOrder) => {
  if ('blockMs' in order) block(order.blockMs)
  else void finish()
})
workload.start()
process.send?.('started')

/** Nothing ends the process: that nothing of the locks keeps it alive is a part of the test. */
async function finish(): Promise<void> {
  await workload.finish()
  process.off('disconnect', orphaned)
  process.disconnect?.()
}

/** No timer and no answer is seen meanwhile. */
function block(ms: number): void {
  const untilMs = nowMs() + ms
  while (nowMs() < untilMs);
}
