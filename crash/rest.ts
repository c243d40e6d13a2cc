import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionBody } from 'lockstep'
import { type Listed, listAll, look } from '../examples/bank/client.ts'
import type { Installation } from './processes.ts'

const restWithinMs = 120_000
const open = ['prepared', 'committing', 'rolling-back']

/**
 * Waits until every transaction has ended. What is held is looked at by a person: here, resumed. Throws with what is unfinished when it
 * does not come to rest. Answers what was held, and why.
 */
export async function comeToRest({ coordinators }: Installation): Promise<string[]> {
  const coordinator = coordinators[0]?.url ?? ''
  const held = new Map<string, string>()
  const until = Date.now() + restWithinMs
  for (;;) {
    const left = await unfinished(coordinator).catch(() => null)
    if (left?.length === 0) return [...held.values()]
    if (Date.now() > until)
      throw new Error(`not at rest after ${restWithinMs / 1_000} s: ${await describe(left, coordinator)}`)
    for (const one of left ?? []) {
      if (one.held === null) continue
      held.set(one.id, `${one.id} was held as ${one.held.reason}: ${one.held.detail}`)
      await resume(one.id, coordinator)
    }
    await sleep(250)
  }
}

async function unfinished(coordinator: string): Promise<Listed[]> {
  const lists = await Promise.all(open.map((status) => listAll(coordinator, status)))
  return lists.flat()
}

async function resume(id: string, coordinator: string): Promise<void> {
  await fetch(`${coordinator}/v1/transactions/${id}/actions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'resume', reason: 'crash suite' }),
  }).catch(() => undefined)
}

async function describe(left: readonly Listed[] | null, coordinator: string): Promise<string> {
  if (left === null) return 'the coordinator does not answer'
  const wholes = await Promise.all(left.slice(0, 5).map(({ id }) => look(id, { coordinator }).catch(() => null)))
  return wholes.map((whole) => (whole === null ? 'one that cannot be read' : story(whole))).join('; ')
}

/** With the last attempts of what is left to do: that is where to look first. */
function story({ id, status, held, updatedAt, branches }: TransactionBody): string {
  const tries = branches.map(
    ({ name, state, attempts }) =>
      `${name} ${state} after ${attempts.length}: ${attempts
        .slice(-3)
        .map(
          ({ operation, number, startedAt, outcome, error }) =>
            `${operation} ${number} at ${startedAt} ${outcome} ${error ?? ''}`,
        )
        .join(', ')}`,
  )
  return `${id} ${status}${held === null ? '' : ` held ${held.reason}`} since ${updatedAt} (${tries.join(' | ')})`
}
