/** The load, as a process of its own: begins over HTTP with keep-alive, and every answer is checked. */
import { Pool } from 'undici'
import { answerQuestions } from '../setting/child.ts'
import { type LoadOptions, type LoadResult, load } from './load.ts'

export interface DriverQuestion extends LoadOptions {
  /** Where begins are sent. */
  readonly url: string
  /** The steps of each begin, as JSON text. */
  readonly steps: string
}

const headers = ['content-type', 'application/json']
const pools = new Map<string, Pool>()

answerQuestions<DriverQuestion, LoadResult>(async ({ url, steps, ...options }) => {
  const pool = poolOf(url)
  return load(options, (id) => begin(pool, `{"id":"${id}","pattern":"saga","wait":10000,"steps":${steps}}`))
})

function poolOf(url: string): Pool {
  const known = pools.get(url)
  if (known !== undefined) return known
  const pool = new Pool(url, {
    connections: 256,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  pools.set(url, pool)
  return pool
}

function begin(pool: Pool, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    pool.dispatch({ path: '/v1/transactions', method: 'POST', headers, body }, new AnswerCheck(resolve, reject))
  })
}

class AnswerCheck {
  readonly #resolve: (version: number) => void
  readonly #reject: (error: Error) => void
  #status = 0
  #body = ''

  constructor(resolve: (version: number) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(): void {}

  onResponseStart(_controller: unknown, status: number): void {
    this.#status = status
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#body += chunk.toString('utf8')
  }

  onResponseEnd(): void {
    const committed = this.#status === 200 && this.#body.includes('"status":"committed"')
    if (!committed) this.#reject(new Error(`A begin was answered ${this.#status}: ${this.#body.slice(0, 500)}`))
    else this.#resolve(Number(/"version":(\d+)/.exec(this.#body)?.[1]))
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#reject(error)
  }
}
