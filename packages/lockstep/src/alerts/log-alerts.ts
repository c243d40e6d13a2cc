import type { AlertKind, Alerts, Logger } from '../ports/index.ts'

const words: Readonly<Record<AlertKind, string>> = {
  old: 'a transaction has been unfinished for long',
  undecided: 'nobody has decided a transaction for long',
  held: 'a transaction is held: a person must look',
  'branch-stuck': 'one branch of a transaction is refused, or cannot be called',
}

/** One warning in the log per alert; never a payload. */
export function logAlerts(logger: Logger): Alerts {
  return {
    raise({ kind, ...fields }) {
      logger.warn({ ...fields }, words[kind])
    },
  }
}
