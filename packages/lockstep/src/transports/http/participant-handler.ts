import { isLockstepError, LockstepError, messageOf } from '../../errors.ts'
import type {
  BarrierDatabase,
  CheckBackDefinition,
  Environment,
  Logger,
  ParticipantDefinition,
  ParticipantSurroundings,
} from '../../ports/index.ts'
import { isCheckBack, silentLogger } from '../../ports/index.ts'
import type { Duration } from '../../protocol/index.ts'
import {
  barrierRetentionMs,
  bodyBytesMax,
  durationMs,
  isOperation,
  parseJson,
  splitParticipantName,
} from '../../protocol/index.ts'
import { participantsByName } from '../participants-by-name.ts'
import { isJson } from './answer.ts'
import { checkSignature, readCall } from './call-headers.ts'
import type { RawAnswer } from './raw-answer.ts'
import { answerOf, brokenOff, problemAnswer, requestProblem, tooLarge } from './raw-answer.ts'
import type { RawRequest } from './raw-request.ts'
import { readBody } from './request-body.ts'
import { SigningKey } from './signature.ts'

export interface ParticipantHandlerOptions {
  /** All of one service, or with names that differ behind the dot. */
  readonly participants: readonly ParticipantDefinition[]
  /** Answers at `<base>/_check` whether the local transaction of a message was committed. */
  readonly checkBack?: CheckBackDefinition
  readonly environment: Pick<Environment, 'clock' | 'sha256'>
  readonly barrierDatabases: readonly BarrierDatabase[]
  /** The path that the handler is mounted at, for example `/lockstep`. */
  readonly base?: string
  /** `whsec_…`: with any secret given, unsigned calls are refused. Several while a secret is rotated. */
  readonly secrets?: readonly string[]
  readonly logger?: Logger
  /** How long the participants' databases keep barrier rows; 30 days unless given. */
  readonly barrierRetention?: Duration
}

/** Mount it where requests are web standard, or give it to `nodeListener`, which skips those objects. */
export interface ParticipantHandler {
  (request: Request): Promise<Response>
  /** Answers a request whose body has been read. Never rejects. */
  answer(request: RawRequest, body: Uint8Array): Promise<RawAnswer>
}

interface Context {
  readonly participants: ReadonlyMap<string, ParticipantDefinition>
  readonly checkBack: CheckBackDefinition | undefined
  readonly prefix: string
  readonly keys: readonly SigningKey[]
  readonly surroundings: ParticipantSurroundings
}

/**
 * Answers calls to participants as `POST <base>/<name>/<operation>`, and the check-back as `POST <base>/_check` (protocol.md
 * section 5).
 *
 * **Guarantees** that 409 is said only when nothing happened, and that a request which is not understood runs nothing.
 * Fails with `LOCKSTEP_CONFIGURATION` when two participants share a name, or a check-back is among them.
 *
 * @example
 * app.all('/lockstep/*', (c) => handler(c.req.raw))
 */
export function participantHandler(options: ParticipantHandlerOptions): ParticipantHandler {
  const context = contextOf(options)
  const answer = (request: RawRequest, body: Uint8Array): Promise<RawAnswer> =>
    answerCall(request, body, context).catch((error: unknown) => failureAnswer(error, request, context))
  const handler = async (request: Request): Promise<Response> => {
    const { method, url, headers, signal } = request
    const raw: RawRequest = { method, url: pathOf(url), signal, header: (name) => headers.get(name) ?? '' }
    const body = await readBody(request, bodyBytesMax)
    const whole = body instanceof Uint8Array ? await answer(raw, body) : body === 'too-large' ? tooLarge() : brokenOff()
    return new Response(whole.status === 204 ? null : whole.body, { status: whole.status, headers: whole.headers })
  }
  return Object.assign(handler, { answer })
}

function contextOf(options: ParticipantHandlerOptions): Context {
  const base = (options.base ?? '').replace(/^\/*|\/+$/g, '')
  const misplaced = options.participants.find(isCheckBack)
  if (misplaced !== undefined) throw misplacedCheckBack(misplaced.name)
  return {
    checkBack: options.checkBack,
    participants: participantsByName(options.participants, (one) => splitParticipantName(one.name)?.name ?? one.name),
    prefix: base === '' ? '/' : `/${base}/`,
    keys: (options.secrets ?? []).map((secret) => new SigningKey(secret)),
    surroundings: {
      clock: options.environment.clock,
      sha256: options.environment.sha256,
      databases: options.barrierDatabases,
      logger: options.logger ?? silentLogger,
      barrierRetentionMs: durationMs(options.barrierRetention ?? barrierRetentionMs, 'barrierRetention'),
    },
  }
}

/** One handler has one `_check`, so it must be plain which it is. */
function misplacedCheckBack(service: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The check-back of ${service} stands among the participants of an HTTP handler.`,
    next: 'Give it as `checkBack`.',
  })
}

async function answerCall(request: RawRequest, body: Uint8Array, context: Context): Promise<RawAnswer> {
  // Who is not known learns nothing, not even which participants exist.
  checkSignature(request, body, context.keys, context.surroundings.clock.now())
  const { participant, operation } = route(request, context)
  if (!isJson(request.header('content-type')) || !['', 'identity'].includes(request.header('content-encoding'))) {
    throw requestProblem(
      'LOCKSTEP_UNSUPPORTED_MEDIA_TYPE',
      'The body must be application/json without a content encoding.',
    )
  }
  const call = readCall(request, operation)
  const input = parseJson(decode(body))
  return answerOf(await participant.run(call.operation, input, call, context.surroundings), call.traceparent)
}

interface Route {
  readonly participant: ParticipantDefinition
  readonly operation: string
}

function route(request: RawRequest, context: Context): Route {
  const query = request.url.indexOf('?')
  const path = query === -1 ? request.url : request.url.slice(0, query)
  const found = path === `${context.prefix}_check` ? checkRoute(context) : participantRoute(path, context)
  if (found === null) throw requestProblem('LOCKSTEP_NOT_FOUND', 'This service has no such participant operation.')
  if (request.method !== 'POST')
    throw requestProblem('LOCKSTEP_METHOD_NOT_ALLOWED', 'Participant operations take POST only.')
  return found
}

function checkRoute({ checkBack }: Context): Route | null {
  return checkBack === undefined ? null : { participant: checkBack, operation: 'check' }
}

function participantRoute(path: string, { participants, prefix }: Context): Route | null {
  const slash = path.lastIndexOf('/')
  const operation = path.slice(slash + 1)
  const participant = participants.get(path.startsWith(prefix) ? decodeName(path.slice(prefix.length, slash)) : '')
  return participant !== undefined && isOperation(operation) && participant.operations.includes(operation)
    ? { participant, operation }
    : null
}

function decodeName(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function decode(body: Uint8Array): string {
  if (body.length === 0) throw requestProblem('LOCKSTEP_INVALID_REQUEST', 'The body is empty; send the input as JSON.')
  try {
    return utf8.decode(body)
  } catch {
    throw requestProblem('LOCKSTEP_INVALID_REQUEST', 'The body is not valid UTF-8.')
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function pathOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}

function failureAnswer(error: unknown, request: RawRequest, context: Context): RawAnswer {
  const traceparent = request.header('traceparent')
  if (isLockstepError(error)) return problemAnswer(error, traceparent)
  context.surroundings.logger.error({ method: request.method }, `A call to a participant failed: ${messageOf(error)}`)
  return problemAnswer(requestProblem('LOCKSTEP_BUG', 'The handler failed.'), traceparent)
}
