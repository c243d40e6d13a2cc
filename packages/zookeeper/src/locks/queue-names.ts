/**
 * Names of the nodes that stand in one line: `_c_<id>-lock-0000000007`. The id says whose it is, also when the reply of its creation was
 * lost; the mark says what is wanted; the number, given by the server, says when it came.
 */
export type QueueKind = 'lock' | 'read' | 'write'

export interface QueueName {
  /** The whole name, without the path. */
  readonly name: string
  readonly id: string
  readonly kind: QueueKind
  readonly number: number
}

const marks = { lock: '-lock-', read: '-__READ__', write: '-__WRIT__' } as const satisfies Record<QueueKind, string>
const kinds = Object.keys(marks) as QueueKind[]
const pattern = /^_c_(?<id>.+)(?<mark>-lock-|-__READ__|-__WRIT__)(?<number>-?\d{9,10})$/

/** What the server appends the number to. */
export function namePrefix(id: string, kind: QueueKind): string {
  return `_c_${id}${marks[kind]}`
}

/** Null for what stands there and is none of ours. */
export function parseQueueName(name: string): QueueName | null {
  const { id, mark, number } = pattern.exec(name)?.groups ?? {}
  const kind = kinds.find((each) => marks[each] === mark)
  if (id === undefined || kind === undefined) return null
  return { name, id, kind, number: Number(number) }
}

/** In the order of their numbers alone: whatever stands before a number sorts by chance. */
export function inOrder(names: readonly string[]): QueueName[] {
  return names
    .map(parseQueueName)
    .filter((each) => each !== null)
    .sort((left, right) => compareNumbers(left.number, right.number))
}

/** The server counts in 32 bits with a sign, so after 2147483647 comes -2147483648: what counts is which way is the shorter one. */
function compareNumbers(left: number, right: number): number {
  return (left - right) | 0
}

/**
 * Who stands in the way of `own`; null when nobody does. A reader waits for the nearest writer before it; everybody else for whoever is
 * right before.
 */
export function blockerOf(line: readonly QueueName[], own: QueueName): QueueName | null {
  const before = line.slice(0, line.indexOf(own))
  const isInTheWay = (other: QueueName): boolean => own.kind !== 'read' || other.kind === 'write'
  return before.findLast(isInTheWay) ?? null
}

/** Who holds: the first one, and after a first reader all readers up to the first writer. */
export function holdersOf(line: readonly QueueName[]): readonly QueueName[] {
  return line.filter((each, index) => index === 0 || (each.kind === 'read' && blockerOf(line, each) === null))
}
