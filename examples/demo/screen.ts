import type { Tally } from './transfers.ts'

/** One line that changes in place on a terminal; elsewhere, a line now and then. What is said stays above it. */
export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #all: number
  #shown = ''
  #lastPlainMs = 0

  constructor(out: NodeJS.WriteStream, all: number) {
    this.#out = out
    this.#all = all
  }

  say(line: string): void {
    this.#clear()
    this.#out.write(`${line}\n`)
    if (this.#out.isTTY) this.#out.write(this.#shown)
  }

  show({ committed, rolledBack, held, begun }: Tally, money: number | null): void {
    const running = begun - committed - rolledBack - held
    const bar = this.#bar(committed + rolledBack + held)
    const line = `${bar} ${committed} committed  ${rolledBack} rolled back  ${running} running  ${held} held  money in accounts ${money ?? '…'}`
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

  #bar(ended: number): string {
    const width = 20
    const full = Math.round((width * ended) / this.#all)
    return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
  }

  #clear(): void {
    if (this.#out.isTTY && this.#shown !== '') this.#out.write('\r\u001b[2K')
  }
}
