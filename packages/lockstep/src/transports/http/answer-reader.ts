import { isUtf8 } from 'node:buffer'
import type { Dispatcher } from 'undici'
import type { Call, Environment, Outcome, Timer } from '../../ports/index.ts'
import { bodyBytesMax, isUrlTarget } from '../../protocol/index.ts'
import { outcomeOfAnswer } from './answer.ts'

type Controller = Dispatcher.DispatchController
type Headers = Record<string, string | string[] | undefined>

/**
 * Reads one answer as it arrives.
 *
 *   waiting   queued or connecting; nothing was sent. An end here is `unreached`.
 *   sent      the request was given to a socket. An end without an answer is `unknown`.
 *   settled   the outcome is out; whatever still comes is dropped, and the socket is destroyed if it was not finished.
 */
export class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #call: Call
  readonly #environment: Pick<Environment, 'clock' | 'timers'>
  readonly #resolve: (outcome: Outcome) => void
  readonly #timer: Timer
  #state: 'waiting' | 'sent' | 'settled' = 'waiting'
  #controller: Controller | null = null
  #status = 0
  #headers: Headers = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(call: Call, environment: Pick<Environment, 'clock' | 'timers'>, resolve: (outcome: Outcome) => void) {
    this.#call = call
    this.#environment = environment
    this.#resolve = resolve
    this.#timer = environment.timers.after(call.timeoutMs, () => this.#timeOut())
  }

  onRequestStart(controller: Controller): void {
    // The call timed out while it waited for a socket: it must not leave any more.
    if (this.#state === 'settled') {
      controller.abort(new Error('The call timed out before it was sent.'))
      return
    }
    this.#state = 'sent'
    this.#controller = controller
  }

  onResponseStart(_controller: Controller, status: number, headers: Headers): void {
    // 1xx answers come before the real one.
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    if (Number(this.#header('content-length') ?? 0) > bodyBytesMax) this.#refuseBody()
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > bodyBytesMax) this.#refuseBody()
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    const answer = {
      status: this.#status,
      contentType: this.#header('content-type'),
      contentEncoding: this.#header('content-encoding'),
      retryAfter: this.#header('retry-after'),
      body: isUtf8(bytes) ? bytes.toString('utf8') : null,
    }
    const { operation, target } = this.#call
    this.#settle(
      outcomeOfAnswer(answer, { operation, plainUrl: isUrlTarget(target), nowMs: this.#environment.clock.now() }),
    )
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    const unreached = this.#state === 'waiting'
    this.#settle({ kind: 'unknown', error: describe(error), ...(unreached ? { unreached } : {}) })
  }

  #timeOut(): void {
    const unreached = this.#state === 'waiting'
    const error = `No answer within ${this.#call.timeoutMs} ms.`
    this.#settle({ kind: 'unknown', code: 'timeout', error, ...(unreached ? { unreached } : {}) })
    this.#controller?.abort(new Error(error))
  }

  #refuseBody(): void {
    const error = `HTTP ${this.#status} with a body over the limit of ${bodyBytesMax} bytes.`
    this.#settle({ kind: 'unknown', error })
    this.#controller?.abort(new Error(error))
  }

  #settle(outcome: Outcome): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    this.#chunks = []
    this.#timer.cancel()
    this.#resolve(outcome)
  }

  #header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value[0] : value
  }
}

function describe(error: Error & { code?: unknown }): string {
  const code = typeof error.code === 'string' ? `${error.code}: ` : ''
  return `${code}${error.message || error.name}`.slice(0, 500)
}
