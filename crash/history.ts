/** What was sent and what was answered, one line each, written before anything else happens with it. */
import { appendFileSync, readFileSync } from 'node:fs'
import { isFinal } from '../examples/bank/client.ts'
import type { TransferPattern } from '../examples/bank/transfer.ts'

type HistoryLine =
  | { readonly id: string; readonly sent: TransferPattern }
  /** A status that an answer has shown, by a coordinator or by the bank that initiated it. */
  | { readonly id: string; readonly shown: string; readonly by: string }

export class History {
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  note(line: HistoryLine): void {
    appendFileSync(this.file, `${JSON.stringify(line)}\n`)
  }

  read(): HistoryLine[] {
    const lines = readFileSync(this.file, 'utf8').split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HistoryLine)
  }
}

/** What was acknowledged is there, what was shown as decided is how it ended, and nothing is there that was never sent. */
export function checkHistory(history: readonly HistoryLine[], statuses: ReadonlyMap<string, string>): string[] {
  const violations: string[] = []
  const sent = new Map<string, TransferPattern>()
  for (const line of history) {
    const { id } = line
    if ('sent' in line) {
      sent.set(id, line.sent)
      continue
    }
    const pattern = sent.get(id)
    const status = statuses.get(id)
    if (pattern === undefined) violations.push(`${id} was answered before it was sent`)
    else if (status === undefined) violations.push(`${id} was acknowledged by ${line.by} as ${line.shown} and is gone`)
    else if ((decidedBy(line.shown, pattern) ?? status) !== status)
      violations.push(`${id} was shown ${line.shown} by ${line.by} and is ${status}`)
  }
  for (const id of statuses.keys()) if (!sent.has(id)) violations.push(`${id} was never sent`)
  return violations
}

/** The end that a status leaves no doubt of; null while anything may follow. A saga that moves towards commit may still turn. */
function decidedBy(shown: string, pattern: TransferPattern): string | null {
  if (isFinal(shown)) return shown
  if (shown === 'rolling-back') return 'rolled-back'
  return shown === 'committing' && pattern !== 'saga' ? 'committed' : null
}
