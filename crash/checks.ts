/** After the fire, when everything is at rest: reads the banks' own databases, and the history of what was answered. */
import { readBooks } from '../examples/bank/books.ts'
import { type Listed, listAll } from '../examples/bank/client.ts'
import { brokenNow, doubled, leftOver, moneyIn, torn } from '../examples/bank/verdicts.ts'
import { checkHistory, type History } from './history.ts'
import type { Load } from './load.ts'
import { accounts, type Installation, openingBalance } from './processes.ts'

/** Every violation found; empty when all invariants hold. */
export async function check(installation: Installation, load: Load, history: History): Promise<string[]> {
  const all = await listAll(installation.coordinators[0]?.url ?? '')
  const linked = all.filter(isEscalation)
  const ends = new Map(all.filter((one) => !isEscalation(one)).map((one) => [one.id, one]))
  const books = await Promise.all(installation.banks.map(readBooks))
  const expected = installation.banks.length * accounts.length * openingBalance
  return [
    ...load.violations,
    ...(moneyIn(books) === expected ? [] : [`money: ${moneyIn(books)} instead of ${expected}`]),
    ...books.flatMap((one) => brokenNow(one, openingBalance)),
    ...leftOver(books),
    ...doubled(books),
    ...torn(load.transfers, ends, books),
    ...checkHistory(history.read(), new Map([...ends].map(([id, { status }]) => [id, status]))),
    ...checkEscalations(ends, linked),
  ]
}

/** The coordinator's own message to the sender of one that was refused. */
export function isEscalation({ labels }: Listed): boolean {
  return labels['escalation-of'] !== undefined
}

/** A message that the receiver has refused has told its sender once, by a message that has arrived; nothing else has. */
export function checkEscalations(ends: ReadonlyMap<string, Listed>, linked: readonly Listed[]): string[] {
  const told = Map.groupBy(linked, ({ labels }) => labels['escalation-of'] ?? '')
  const arrived = ({ status, incomplete }: Listed) => status === 'committed' && !incomplete
  return [
    ...linked.filter((one) => !arrived(one)).map(({ id, status }) => `the escalation ${id} has not arrived: ${status}`),
    ...[...ends.values()].flatMap(({ id, incomplete }) => {
      const times = told.get(id)?.length ?? 0
      return times === (incomplete ? 1 : 0)
        ? []
        : [`${id} is ${incomplete ? '' : 'not '}refused, and was escalated ${times} times`]
    }),
    ...[...told.keys()].filter((id) => !ends.has(id)).map((id) => `${id} was escalated, and nobody has begun it`),
  ]
}
