import type { Timer, Timers } from 'lockstep/ports'
import { serverError, ZooKeeperError, type ZooKeeperErrorCode, type ZooKeeperErrorFields } from './errors.ts'
import type { ExpectedWatch } from './watches.ts'
import { framed, requestBytesMax } from './wire/frames.ts'
import type { JuteReader } from './wire/jute-reader.ts'
import { JuteWriter } from './wire/jute-writer.ts'
import type { Operation } from './wire/operation.ts'

export interface RequestOptions {
  readonly timers: Timers
  readonly timeoutMs: number
  /** Null: the connection numbers it. */
  readonly xid: number | null
  readonly watch: ExpectedWatch | undefined
  /** Why there is no connection, for the error of a request that was never sent. */
  lastLoss(): ZooKeeperError | undefined
  onSettled(request: OpenRequest): void
}

/** What a connection knows of a request. */
export interface OpenRequest {
  readonly frame: Buffer
  readonly xid: number | null
  readonly asksLeader: boolean
  /** When it was given to a socket. */
  readonly sentAtMs: number | undefined
  sent(atMs: number): void
  /** A late answer is passed over: its caller has been told that nobody knows. Throws when it cannot be read. */
  answer(errorNumber: number, body: JuteReader): void
  fail(code: ZooKeeperErrorCode, fields?: ZooKeeperErrorFields): void
}

const noNodeNumber = -101

/** A request from its call to its one end: an answer, a refusal, the loss of its connection or its deadline. */
export class CalledRequest<Result> implements OpenRequest {
  /** Encoded at once, so that what the caller does with its buffer afterwards changes nothing. */
  readonly frame: Buffer
  readonly result: Promise<Result>
  readonly #operation: Operation<Result>
  readonly #options: RequestOptions
  readonly #resolve: (result: Result) => void
  readonly #reject: (error: ZooKeeperError) => void
  readonly #deadline: Timer
  #isSettled = false
  #sentAtMs: number | undefined

  constructor(operation: Operation<Result>, options: RequestOptions) {
    this.frame = encode(operation, options.xid ?? 0)
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.result = promise
    this.#operation = operation
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    this.#deadline = options.timers.after(options.timeoutMs, () => this.#expire())
  }

  get xid(): number | null {
    return this.#options.xid
  }

  get asksLeader(): boolean {
    return this.#operation.asksLeader === true
  }

  get sentAtMs(): number | undefined {
    return this.#sentAtMs
  }

  sent(atMs: number): void {
    this.#sentAtMs = atMs
  }

  answer(errorNumber: number, body: JuteReader): void {
    const { noNode, subject } = this.#operation
    if (this.#isSettled) return
    if (errorNumber === 0) this.#succeed(readWhole(this.#operation, body), 'present')
    else if (errorNumber === noNodeNumber && noNode) this.#succeed(noNode.result, 'missing')
    else this.#failWith(serverError(errorNumber, { subject }))
  }

  fail(code: ZooKeeperErrorCode, fields?: ZooKeeperErrorFields): void {
    this.#failWith(new ZooKeeperError(code, { subject: this.#operation.subject, ...fields }))
  }

  #expire(): void {
    const { timeoutMs, lastLoss } = this.#options
    if (this.#sentAtMs === undefined) this.#failWith(noServer(this.#operation.subject, timeoutMs, lastLoss()))
    else this.fail('TIMEOUT')
  }

  #succeed(result: Result, node: 'present' | 'missing'): void {
    if (!this.#settle()) return
    this.#options.watch?.set(node)
    this.#resolve(result)
  }

  #failWith(error: ZooKeeperError): void {
    if (!this.#settle()) return
    this.#options.watch?.drop()
    this.#reject(error)
  }

  /** True the first time. */
  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.#deadline.cancel()
    this.#options.onSettled(this)
    return true
  }
}

export function noServer(subject: string, timeoutMs: number, cause: ZooKeeperError | undefined): ZooKeeperError {
  const reason = cause === undefined ? '' : `: ${cause.message}`
  return new ZooKeeperError('NOT_SENT', { subject, why: `no server within ${timeoutMs} ms${reason}`, cause })
}

function encode(operation: Operation<unknown>, xid: number): Buffer {
  const out = new JuteWriter().int(xid).int(operation.type)
  operation.write(out)
  const record = out.finish()
  if (record.length <= requestBytesMax) return framed(record)
  throw new ZooKeeperError('BAD_ARGUMENTS', {
    subject: operation.subject,
    why: `${record.length} bytes; a server cuts the connection on more than ${requestBytesMax}`,
  })
}

function readWhole<Result>(operation: Operation<Result>, body: JuteReader): Result {
  const result = operation.read(body)
  body.end()
  return result
}
