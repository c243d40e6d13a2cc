import { messageOf } from '../../errors.ts'
import { RedisCallError } from '../../ports/index.ts'

/** Both packages say so of a command that they have not accepted. */
const neverAccepted = /^(?:The client is (?:offline|closed)|Stream isn't writeable)/

/** The errors of both client packages in one shape. What is not known for certain is `unknown`: a lost answer proves nothing. */
export function toCallError(error: unknown): RedisCallError {
  if (error instanceof RedisCallError) return error
  const message = messageOf(error)
  const cause = withoutCommand(error, message)
  const reply = replyOf(error, message)
  if (reply !== null) return new RedisCallError('refused', `Redis refuses: ${message}`, { reply, cause })
  const failure = neverAccepted.test(message) ? 'not-sent' : 'unknown'
  return new RedisCallError(failure, `Redis did not answer: ${message}`, { cause })
}

/** The connection could not be opened: whatever waited for it has not been sent. */
export function toOpenError(cause: Error): RedisCallError {
  const error = toCallError(cause)
  if (error.failure === 'refused') return error
  return new RedisCallError('not-sent', `Redis cannot be reached: ${causeText(cause)}`, { cause })
}

/** ioredis adds the command to an error, and that of the sign-in has the password, which would end in somebody's log. */
function withoutCommand(error: unknown, message: string): Error {
  const told = new Error(message)
  if (error instanceof Error) Object.assign(told, { name: error.name, stack: error.stack })
  return told
}

/** The first word of an error that the server has answered; null for one that it has not. */
function replyOf(error: unknown, message: string): string | null {
  const classes = classNames(error)
  if (!classes.includes('ReplyError') && !classes.includes('ErrorReply')) return null
  return /^[A-Z][A-Z0-9]*/.exec(message)?.[0] ?? 'ERR'
}

function classNames(error: unknown): string[] {
  const names: string[] = error instanceof Error ? [error.name] : []
  for (let at = Object.getPrototypeOf(Object(error)); at !== null; at = Object.getPrototypeOf(at)) {
    if (typeof at.constructor === 'function') names.push(at.constructor.name)
  }
  return names
}

/** An attempt at several addresses has an empty message. */
function causeText(cause: Error): string {
  return cause.message || String((cause as { code?: unknown }).code ?? cause.name)
}
