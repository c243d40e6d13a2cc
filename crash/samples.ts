/** Reads the banks' databases now and then during the fire: what must hold at every moment holds in the middle as well. */
import { setTimeout as sleep } from 'node:timers/promises'
import { readBooks } from '../examples/bank/books.ts'
import { brokenNow } from '../examples/bank/verdicts.ts'
import { type Installation, openingBalance } from './processes.ts'

const everyMs = 2_000

export class Samples {
  readonly violations: string[] = []
  taken = 0
  readonly #installation: Installation
  #stopped = false
  #working: Promise<void> = Promise.resolve()

  constructor(installation: Installation) {
    this.#installation = installation
  }

  start(): void {
    this.#stopped = false
    this.#working = this.#work()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#working
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      for (const bank of this.#installation.banks) {
        // A database that is down is read the next time.
        const books = await readBooks(bank).catch(() => null)
        if (books === null) continue
        this.taken += 1
        this.violations.push(...brokenNow(books, openingBalance).slice(0, 5))
      }
      await sleep(everyMs)
    }
  }
}
