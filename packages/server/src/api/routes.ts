import type { ApiCall } from './api-call.ts'
import { live, ready } from './health.ts'
import { metrics } from './metrics.ts'
import { act, begin, commit, get, list, register, rollback } from './transactions.ts'

export type Scope = 'open' | 'read' | 'write' | 'operate' | 'admin'

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** What a key must allow. */
  readonly scope: Scope
  readonly answer: (call: ApiCall) => Response | Promise<Response>
}

/** Every route there is. Who may call what is decided by this table and nowhere else. */
export const routes: readonly Route[] = [
  { method: 'POST', path: '/v1/transactions', scope: 'write', answer: begin },
  { method: 'GET', path: '/v1/transactions', scope: 'read', answer: list },
  { method: 'GET', path: '/v1/transactions/:id', scope: 'read', answer: get },
  { method: 'POST', path: '/v1/transactions/:id/branches', scope: 'write', answer: register },
  { method: 'POST', path: '/v1/transactions/:id/commit', scope: 'write', answer: commit },
  { method: 'POST', path: '/v1/transactions/:id/rollback', scope: 'write', answer: rollback },
  { method: 'POST', path: '/v1/transactions/:id/actions', scope: 'operate', answer: act },
  { method: 'GET', path: '/metrics', scope: 'read', answer: metrics },
  { method: 'GET', path: '/livez', scope: 'open', answer: live },
  { method: 'GET', path: '/readyz', scope: 'open', answer: ready },
]

const shapes = [...new Set(routes.map((route) => route.path))].map((path) => ({
  shape: new RegExp(`^${path.replace(':id', '[^/]+')}$`),
  allow: allowOf(path),
}))

/** The `Allow` header for a path, or null when there is no such path. */
export function methodsAllowed(path: string): string | null {
  return shapes.find(({ shape }) => shape.test(path))?.allow ?? null
}

function allowOf(path: string): string {
  const methods = routes.filter((route) => route.path === path).map((route) => route.method)
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
}
