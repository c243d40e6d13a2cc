import { type BeginBody, type BranchBegin, type Json, LockstepError } from 'lockstep'
import { actionNames, branchActionNames, isName, traceIdOf } from 'lockstep/protocol'
import { z } from 'zod'
import { begunAnswer, jsonAnswer, registeredAnswer, transactionAnswer } from './answers.ts'
import type { ApiCall } from './api-call.ts'
import { checked } from './checked.ts'
import { invalid } from './problem-answer.ts'
import { readFilter, readWait, refuseQuery } from './query.ts'
import { readJson, readOptionalJson } from './read-body.ts'

export async function begin({ coordinator, incoming }: ApiCall): Promise<Response> {
  refuseQuery(incoming.url ?? '')
  const { 'idempotency-key': key, traceparent } = incoming.headers
  const body = withId(await readJson(incoming), key)
  // A trace that nobody can read is left out; it must never keep a transaction from beginning.
  const options = typeof traceparent === 'string' && traceIdOf(traceparent) !== null ? { traceparent } : {}
  const { transaction, replayed } = await coordinator.begin(body as BeginBody, options)
  return begunAnswer(transaction, replayed)
}

/** The id may come in the header, as other APIs have it; where both are given they must agree. */
function withId(body: Json, key: string | readonly string[] | undefined): Json {
  if (key === undefined || typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { id = key } = body as { readonly [key: string]: Json }
  if (id !== key) throw invalid('/id', 'is not the same as the Idempotency-Key header')
  return { ...body, id }
}

export async function list({ coordinator, incoming }: ApiCall): Promise<Response> {
  return jsonAnswer(200, await coordinator.list(readFilter(incoming.url ?? '')))
}

export async function get({ coordinator, incoming, id }: ApiCall): Promise<Response> {
  const transaction = await coordinator.get(id, { waitMs: readWait(incoming.url ?? '') })
  if (transaction !== null) return transactionAnswer(transaction)
  throw new LockstepError('LOCKSTEP_NOT_FOUND', { message: `There is no transaction ${id}.` })
}

export async function register({ coordinator, incoming, id }: ApiCall): Promise<Response> {
  refuseQuery(incoming.url ?? '')
  const { transaction, replayed } = await coordinator.register(id, (await readJson(incoming)) as unknown as BranchBegin)
  return registeredAnswer(transaction, replayed)
}

export function commit(call: ApiCall): Promise<Response> {
  return decide(call, 'commit')
}

export function rollback(call: ApiCall): Promise<Response> {
  return decide(call, 'rollback')
}

const nothing = z.strictObject({})

async function decide({ coordinator, incoming, id }: ApiCall, decision: 'commit' | 'rollback'): Promise<Response> {
  const waitMs = readWait(incoming.url ?? '')
  const body = await readOptionalJson(incoming)
  if (body !== undefined) checked(nothing, body)
  return transactionAnswer(await coordinator.decide(id, decision, { waitMs }))
}

const reasonCharactersMax = 1_000

/** Written to the audit and shown to people, so it is plain text: no control characters, no half of a surrogate pair. */
function isPlainText(text: string): boolean {
  return (
    text.isWellFormed() && ![...text].some((one) => one === '\u007f' || (one < ' ' && one !== '\n' && one !== '\t'))
  )
}

const actionBody = z
  .strictObject({
    action: z.enum(actionNames),
    branch: z.string().refine(isName, 'is not the name of a branch').optional(),
    reason: z
      .string()
      .max(reasonCharactersMax, `must be at most ${reasonCharactersMax} characters`)
      .refine((text) => text.trim() !== '', 'is empty: say why, for the next person who reads the audit')
      .refine(isPlainText, 'must be plain text without control characters'),
  })
  .superRefine(({ action, branch }, context) => {
    const issue = (message: string) => context.addIssue({ code: 'custom', path: ['branch'], message })
    if (action === 'skip' && branch === undefined) issue('is missing: skip needs the name of a branch')
    if (branch !== undefined && !branchActionNames.includes(action)) issue(`does not go with ${action}`)
  })

export async function act({ coordinator, incoming, id, logger }: ApiCall): Promise<Response> {
  refuseQuery(incoming.url ?? '')
  const { action, branch, reason } = checked(actionBody, await readJson(incoming))
  const transaction = await coordinator.act(id, { action, reason, ...(branch === undefined ? {} : { branch }) })
  logger.info({ id, action, branch, status: transaction.status }, 'an operator acted on a transaction')
  return transactionAnswer(transaction)
}
