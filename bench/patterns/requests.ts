import { Pool } from 'undici'

export interface Answer {
  readonly status: number
  readonly text: string
}

const headers = ['content-type', 'application/json']

/** Posts over keep-alive connections, as cheap as they come. Nothing is parsed: who asks looks for the words it needs. */
export class Requests {
  readonly #pool: Pool

  constructor(url: string) {
    this.#pool = new Pool(url, {
      connections: 256,
      pipelining: 1,
      keepAliveTimeout: 60_000,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  post(path: string, body: string | null): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#pool.dispatch({ path, method: 'POST', headers, body }, new AnswerReader(resolve, reject))
    })
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}

class AnswerReader {
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (error: Error) => void
  #status = 0
  #text = ''

  constructor(resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(): void {}

  onResponseStart(_controller: unknown, status: number): void {
    this.#status = status
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#text += chunk.toString('utf8')
  }

  onResponseEnd(): void {
    this.#resolve({ status: this.#status, text: this.#text })
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#reject(error)
  }
}

/** Throws unless the answer has this HTTP status and, where one is named, this status of the transaction. */
export function requireAnswer(answer: Answer, status: number, word?: string): Answer {
  if (answer.status === status && (word === undefined || answer.text.includes(`"status":"${word}"`))) return answer
  throw new Error(`Answered ${answer.status} and not ${status} ${word ?? ''}: ${answer.text.slice(0, 500)}`)
}

export function versionIn({ text }: Answer): number {
  return Number(/"version":(\d+)/.exec(text)?.[1])
}
