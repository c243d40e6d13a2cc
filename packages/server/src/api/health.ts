import { wordAnswer } from './answers.ts'
import type { ApiCall } from './api-call.ts'

/** The process runs and answers; whether it can do its work is another question. */
export function live(): Response {
  return wordAnswer(200, 'ok')
}

export function ready({ coordinator }: ApiCall): Response {
  const { notReady } = coordinator
  return notReady === null ? wordAnswer(200, 'ready') : wordAnswer(503, wordOf(notReady), { 'retry-after': '1' })
}

/** Open to everybody, so it says one word and no more. */
function wordOf(notReady: string): string {
  if (notReady === 'new') return 'starting'
  return /^\w+$/.test(notReady) ? notReady : 'store-unavailable'
}
