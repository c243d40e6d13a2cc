import type { TransferPattern } from '../bank/transfer.ts'
import type { Tally } from './transfers.ts'

/** What is in the banks at this moment. */
export interface Money {
  readonly all: number
  readonly frozen: number
}

/** One line that changes in place on a terminal; elsewhere, a line now and then. What is said stays above it. */
export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #all: number
  readonly #pattern: TransferPattern
  #shown = ''
  #lastPlainMs = 0

  constructor(out: NodeJS.WriteStream, all: number, pattern: TransferPattern) {
    this.#out = out
    this.#all = all
    this.#pattern = pattern
  }

  say(line: string): void {
    this.#clear()
    this.#out.write(`${line}\n`)
    if (this.#out.isTTY) this.#out.write(this.#shown)
  }

  show(tally: Tally, money: Money | null): void {
    const line = this.#line(tally, money)
    if (this.#out.isTTY) {
      this.#clear()
      this.#shown = line
      this.#out.write(line)
    } else if (Date.now() - this.#lastPlainMs > 2_000) {
      this.#lastPlainMs = Date.now()
      this.#out.write(`${line}\n`)
    }
  }

  /** The line has changed for the last time: it stays where it is. */
  settle(): void {
    if (this.#out.isTTY && this.#shown !== '') this.#out.write('\n')
    this.#shown = ''
  }

  #line({ committed, escalated, rolledBack, held, begun }: Tally, money: Money | null): string {
    const ended = committed + rolledBack + held
    const made =
      this.#pattern === 'message'
        ? `${committed - escalated} delivered  ${escalated} escalated`
        : `${committed} committed`
    const frozen = this.#pattern === 'tcc' ? `, of it frozen ${money?.frozen ?? '…'}` : ''
    const running = begun - ended
    return `${this.#bar(ended)} ${made}  ${rolledBack} rolled back  ${running} running  ${held} held  money in accounts ${money?.all ?? '…'}${frozen}`
  }

  #bar(ended: number): string {
    const width = 20
    const full = Math.round((width * ended) / this.#all)
    return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
  }

  #clear(): void {
    if (this.#out.isTTY && this.#shown !== '') this.#out.write('\r\u001b[2K')
  }
}
