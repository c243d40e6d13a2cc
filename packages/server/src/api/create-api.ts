import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono } from 'hono'
import { type Coordinator, LockstepError, type Logger } from 'lockstep'
import { type AlertCount, alertCount } from './alert-count.ts'
import { type FailedRequest, problemAnswer } from './problem-answer.ts'
import { methodsAllowed, type Route, routes } from './routes.ts'
import { refuseStrangers } from './visitors.ts'

/** What the HTTP server hands in beside the request. */
interface Bindings {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

export type Api = Hono<{ Bindings: Bindings }>
type ApiContext = Context<{ Bindings: Bindings }>

export interface ApiOptions {
  readonly coordinator: Coordinator
  /** What `/metrics` shows of the alerts; nobody has counted any unless given. */
  readonly alerts?: AlertCount
  readonly logger: Logger
}

/**
 * The HTTP API over one coordinator. A route is one function and nothing runs around it: a begin costs one read of its
 * body, one parse and one answer.
 */
export function createApi({ coordinator, logger, alerts = alertCount() }: ApiOptions): Api {
  const api: Api = new Hono()
  for (const route of routes) api.on(route.method, route.path, (context) => answer(route, context))
  api.notFound((context) => problemAnswer(noRoute(context), failed(context), logger))
  api.onError((error, context) => problemAnswer(error, failed(context as ApiContext), logger))
  return api

  function answer(route: Route, context: ApiContext): Response | Promise<Response> {
    const { incoming } = context.env
    refuseStrangers(incoming)
    return route.answer({ coordinator, alerts, incoming, id: context.req.param('id') ?? '', logger })
  }
}

function failed({ env }: ApiContext): FailedRequest {
  return requestOf(env.incoming)
}

export function requestOf({ method, url, headers }: IncomingMessage): FailedRequest {
  const { traceparent } = headers
  return {
    method: method ?? '',
    path: (url ?? '').split('?')[0]?.slice(0, 300) ?? '',
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
  }
}

function noRoute({ req }: ApiContext): LockstepError {
  const allow = methodsAllowed(req.path)
  if (allow === null) {
    return new LockstepError('LOCKSTEP_NOT_FOUND', { message: 'There is no such route.', next: 'Check the path.' })
  }
  const message = `This route does not know ${req.method.slice(0, 20)}.`
  return new LockstepError('LOCKSTEP_METHOD_NOT_ALLOWED', { message, details: { allow } })
}
