import { isUtf8 } from 'node:buffer'
import type { Dispatcher } from 'undici'
import type { Timer, Timers } from '../ports/index.ts'

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Names and values in turn, as undici sends them. */
  readonly headers: readonly string[]
  readonly body: string | null
  /** For the whole of it: waiting for a socket, sending, and reading to the last byte. */
  readonly timeoutMs: number
  readonly answerBytesMax: number
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

export type Exchange =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Headers; readonly body: string }
  /** There was an answer, and it is too long or no text. */
  | { readonly kind: 'unreadable'; readonly status: number; readonly error: string }
  /** `left` is false only when it is certain that no byte of the request was given to a socket. */
  | { readonly kind: 'unanswered'; readonly left: boolean; readonly error: string }

/** One HTTP request and its whole answer, bounded in time and bytes. No redirect is followed. Never rejects. */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest, timers: Timers): Promise<Exchange> {
  return new Promise((resolve) => {
    const reader = new ExchangeReader(request, timers, resolve)
    const { method, path, body } = request
    try {
      dispatcher.dispatch({ method, path, headers: [...request.headers], body }, reader)
    } catch (error) {
      reader.onResponseError(null, error as Error)
    }
  })
}

/**
 * Reads one answer as it arrives.
 *
 *   waiting   queued or connecting; nothing was sent. An end here has not left.
 *   sent      the request was given to a socket. An end without an answer may have been received.
 *   settled   the result is out; whatever still comes is dropped, and the socket is destroyed if it was not finished.
 */
class ExchangeReader implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest
  readonly #resolve: (exchange: Exchange) => void
  readonly #timer: Timer
  #state: 'waiting' | 'sent' | 'settled' = 'waiting'
  #controller: Dispatcher.DispatchController | null = null
  #status = 0
  #headers: Headers = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(request: ExchangeRequest, timers: Timers, resolve: (exchange: Exchange) => void) {
    this.#request = request
    this.#resolve = resolve
    this.#timer = timers.after(request.timeoutMs, () => this.#timeOut())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // The time was up while it waited for a socket: it must not leave any more.
    if (this.#state === 'settled') {
      controller.abort(new Error('The time was up before it was sent.'))
      return
    }
    this.#state = 'sent'
    this.#controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // 1xx answers come before the real one.
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    if (Number(headers['content-length'] ?? 0) > this.#request.answerBytesMax) this.#refuseBody()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#request.answerBytesMax) this.#refuseBody()
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    const status = this.#status
    // Decoding would replace broken bytes in silence.
    if (isUtf8(bytes)) this.#settle({ kind: 'answered', status, headers: this.#headers, body: bytes.toString('utf8') })
    else this.#settle({ kind: 'unreadable', status, error: `HTTP ${status} with a body that is not valid UTF-8` })
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#settle({ kind: 'unanswered', left: this.#state === 'sent', error: wordsOf(error) })
  }

  #timeOut(): void {
    const error = `no answer within ${this.#request.timeoutMs} ms`
    this.#settle({ kind: 'unanswered', left: this.#state === 'sent', error })
    this.#controller?.abort(new Error(error))
  }

  #refuseBody(): void {
    const error = `HTTP ${this.#status} with a body over ${this.#request.answerBytesMax} bytes`
    this.#settle({ kind: 'unreadable', status: this.#status, error })
    this.#controller?.abort(new Error(error))
  }

  #settle(exchange: Exchange): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    this.#chunks = []
    this.#timer.cancel()
    this.#resolve(exchange)
  }
}

function wordsOf(error: Error & { code?: unknown }): string {
  const code = typeof error.code === 'string' ? `${error.code}: ` : ''
  return `${code}${error.message || error.name}`.slice(0, 500)
}
