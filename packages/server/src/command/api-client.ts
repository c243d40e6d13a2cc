import { LockstepError, messageOf } from 'lockstep'
import type { ProblemBody } from 'lockstep/protocol'
import { CommandFailure } from './command-failure.ts'
import { exitCodeOfStatus } from './exit-codes.ts'

const answerWithinMs = 30_000

export interface ApiClient {
  get(path: string): Promise<unknown>
  post(path: string, body: unknown): Promise<unknown>
}

/** The HTTP API as the commands call it. Throws `CommandFailure` for a problem, `LOCKSTEP_UNREACHABLE` for no answer. */
export function apiClient(url: string, key: string | undefined): ApiClient {
  const base = baseOf(url)
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const ask = (path: string, init: RequestInit) => request(new URL(path, base), init)
  return {
    get: (path) => ask(path, { headers: authorization }),
    post: (path, body) => {
      const headers = { ...authorization, 'content-type': 'application/json' }
      return ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
    },
  }
}

function baseOf(text: string): URL {
  const url = URL.parse(text.endsWith('/') ? text : `${text}/`)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: `--url ${text.slice(0, 200)} is no http or https URL.`,
    next: 'Give it like http://127.0.0.1:4600, or set LOCKSTEP_URL.',
  })
}

async function request(url: URL, init: RequestInit): Promise<unknown> {
  const { response, text } = await answer(url, init)
  const body = parsed(text)
  if (body === undefined) throw strange(url, response.status)
  if (response.ok) return body
  if (!isProblem(body)) throw strange(url, response.status)
  throw new CommandFailure(body, exitCodeOfStatus(response.status))
}

async function answer(url: URL, init: RequestInit): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(answerWithinMs) })
    return { response, text: await response.text() }
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const why = (cause as { code?: unknown }).code ?? messageOf(cause)
    throw new LockstepError('LOCKSTEP_UNREACHABLE', {
      message: `No answer from ${url.origin}: ${why}.`,
      next: 'Check that `lockstep serve` runs there, and --url or LOCKSTEP_URL.',
      cause: error,
    })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isProblem(body: unknown): body is ProblemBody {
  const { code, detail, next } = (body ?? {}) as Partial<Record<keyof ProblemBody, unknown>>
  return typeof code === 'string' && typeof detail === 'string' && typeof next === 'string'
}

function strange(url: URL, status: number): LockstepError {
  return new LockstepError('LOCKSTEP_UNREACHABLE', {
    message: `${url.origin} answers ${status}, but not as a Lockstep coordinator does.`,
    next: 'Check --url or LOCKSTEP_URL.',
  })
}
