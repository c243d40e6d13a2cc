import { RedisCallError } from '../../ports/index.ts'

const hopelessReplies = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM', 'WRONGTYPE', 'DENIED', 'NOPROTO'])
const hopelessWords = /unknown command|DB index is out of range/i

/** What the server refuses and will refuse again: somebody has to mend a setting. */
export function isHopeless(error: unknown): boolean {
  if (!(error instanceof RedisCallError) || error.failure !== 'refused') return false
  return hopelessReplies.has(error.reply) || hopelessWords.test(error.message)
}
