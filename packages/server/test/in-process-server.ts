import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'lockstep'
import { serve } from '../src/serve/serve.ts'
import { readSettings } from '../src/serve/settings.ts'
import { type Answer, send } from './raw-request.ts'

export interface InProcessServer {
  readonly url: string
  readonly log: readonly { readonly level: string; readonly fields: object; readonly message: string }[]
  get(path: string): Promise<Answer>
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  begin(body: object): Promise<Answer>
  act(id: string, body: object): Promise<Answer>
  stop(): Promise<void>
}

/** The real server on a free port, in this process, with an SQLite store of its own. */
export async function inProcessServer(
  flags: Readonly<Record<string, unknown>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<InProcessServer> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-server-'))
  const store = `sqlite:${join(folder, 'test.db')}`
  const settings = readSettings({ flags: { port: 0, store, ...flags }, environment })
  const log: { level: string; fields: object; message: string }[] = []
  const failed: unknown[] = []
  const server = await serve({ settings, logger: recorder(log), onFailed: (error) => failed.push(error) })
  const post = (path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send(server.url, path, {
      method: 'POST',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return {
    url: server.url,
    log,
    get: (path) => send(server.url, path),
    post,
    begin: (body) => post('/v1/transactions', body),
    act: (id, body) => post(`/v1/transactions/${id}/actions`, body),
    async stop() {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function recorder(log: { level: string; fields: object; message: string }[]): Logger {
  const at = (level: string) => (fields: object, message: string) => void log.push({ level, fields, message })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Asks until `holds` says yes, and fails with what was seen last. */
export async function eventually<T>(ask: () => Promise<T>, holds: (seen: T) => boolean, withinMs = 15_000): Promise<T> {
  const endMs = Date.now() + withinMs
  for (;;) {
    const seen = await ask()
    if (holds(seen)) return seen
    if (Date.now() > endMs) throw new Error(`it never held; last seen: ${JSON.stringify(seen).slice(0, 1_500)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

let ids = 0

export function newId(prefix = 'tx'): string {
  ids += 1
  return `${prefix}-${ids}`
}
