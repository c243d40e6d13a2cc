import fc from 'fast-check'
import { memoryStore } from 'lockstep/memory'
import { command } from './model-commands.ts'
import { type Comparison, compareHistories, stepBoth } from './step-both.ts'
import type { StoreHarness } from './store-case.ts'

export interface ModelComparison {
  readonly seed: number
  readonly sequences: number
  readonly reached: readonly string[]
}

/** The comparison goes on until each of these has happened at least once: a suite that never gets there proves nothing. */
const everyStore = [
  ...['insert', 'advance', 'take', 'mark'].flatMap((kind) => [`${kind}:applied`, `${kind}:invalid`]),
  ...['insert:exists', 'advance:stale', 'take:stale', 'mark:stale'],
  ...['advance', 'take'].flatMap((kind) => ['applied', 'stale', 'invalid'].map((end) => `${kind} with work:${end}`)),
  ...['repeat with work:applied', 'late with work:stale'],
  ...['repeat:applied', 'repeat:exists', 'repeat:stale', 'late:applied', 'late:stale'],
  ...['claim:free', 'claim:takeover', 'claim:missing', 'claim:own'],
  ...['heartbeat:held', 'heartbeat:none', 'resign'],
  ...['list:pages', 'list:one-page', 'list:label', 'retire:expired', 'retire:forgotten'],
]

/**
 * Runs random command sequences on the store and on the memory store, and fails at the first answer or row that
 * differs, with the shortest sequence that shows it. `LOCKSTEP_TEST_SEED` repeats a run.
 */
export async function compareWithModel(
  harness: StoreHarness,
  options: { sequences?: number } = {},
): Promise<ModelComparison> {
  const seed = Number(process.env['LOCKSTEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
  const reached = new Set<string>()
  const sequences = options.sequences ?? 25
  let done = 0
  while (done === 0 || missing(reached).length > 0) {
    if (done >= sequences * 8) throw new Error(`Never reached in ${done} sequences: ${missing(reached).join(', ')}.`)
    await compare(harness, { seed: seed + done, sequences, reached })
    done += sequences
  }
  return { seed, sequences: done, reached: [...reached].sort() }
}

function missing(reached: ReadonlySet<string>): string[] {
  return everyStore.filter((name) => !reached.has(name))
}

async function compare(
  harness: StoreHarness,
  { seed, sequences, reached }: { seed: number; sequences: number; reached: Set<string> },
): Promise<void> {
  const property = fc.asyncProperty(
    fc.array(command, { minLength: 1, maxLength: 60, size: 'max' }),
    async (commands) => {
      const opened = await harness.create()
      try {
        const clock = { now: () => Date.now() }
        const model = memoryStore({ clock, exclusive: opened.store.exclusive })
        const comparison: Comparison = { model, real: opened.store, now: Date.now(), sent: [], reached }
        for (const step of commands) await stepBoth(comparison, step)
        await compareHistories(comparison)
      } finally {
        await opened.dispose()
      }
    },
  )
  await fc.assert(property, {
    seed,
    numRuns: sequences,
    interruptAfterTimeLimit: 60_000,
    markInterruptAsFailure: false,
  })
}
