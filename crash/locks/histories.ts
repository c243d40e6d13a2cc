/** From what the workers told to what the checkers read. */
import type { Holding, Operation } from '@lockstep/testkit'
import type { LeaseKind, LockEvent } from './journal.ts'

/** One life of a worker. */
export interface Life {
  readonly process: string
  readonly events: readonly LockEvent[]
  /** It was killed then, or its connections were ended at the server where a lease lives no longer than they do. */
  readonly endings: readonly number[]
}

/** One lease as its holder saw it, and what the checkers choose by. */
export interface Held extends Holding {
  readonly kind: LeaseKind
  readonly id: string
  readonly queues: boolean
  /** Milliseconds that were left when it was granted. */
  readonly leftMs: number
}

type Of<E extends LockEvent['e']> = Extract<LockEvent, { e: E }>

/** Every lease that was granted. */
export function heldIn({ process, events, endings }: Life): Held[] {
  return [...Map.groupBy(events, ({ id }) => id)].flatMap(([id, story]) => {
    const [asked, granted] = [the('asked', story), the('granted', story)]
    if (asked === undefined || granted === undefined) return []
    const { kind, key, queues } = asked
    const grantedMs = granted.atMs
    const ending = endings.find((atMs) => atMs >= grantedMs) ?? Number.POSITIVE_INFINITY
    return [
      {
        process,
        id,
        kind,
        key,
        queues,
        askedMs: asked.atMs,
        grantedMs,
        endMs: Math.min(endOf(granted, story), ending),
        token: BigInt(granted.token),
        leftMs: granted.untilMs - grantedMs,
      },
    ]
  })
}

/**
 * When the holder stopped being one by its own knowledge: when it gave the lease back or was told of its loss, at the last moment that
 * was proven to it; and not before it last looked and found time left.
 */
function endOf(granted: Of<'granted'>, story: readonly LockEvent[]): number {
  const untilMs = Math.max(granted.untilMs, ...all('proven', story).map((one) => one.untilMs))
  const stops = [...all('releasing', story), ...all('lost', story)].map(({ atMs }) => atMs)
  const looks = [...all('looked', story), ...all('releasing', story)].filter(({ leftMs }) => leftMs > 0)
  const believedMs = Math.max(granted.atMs, ...looks.map(({ atMs }) => atMs))
  return Math.max(believedMs, Math.min(untilMs, ...stops))
}

/**
 * Work under a lease as one operation on the fenced register: it read a value and wrote the next one. Refused at the fence it has had no effect; without an
 * answer it may have had one.
 */
export function sectionsIn({ process, events }: Life): Operation<'add'>[] {
  return [...Map.groupBy(events, ({ id }) => id).values()].flatMap((story) => {
    const [asked, claimed, wrote] = [the('asked', story), the('claimed', story), the('wrote', story)]
    if (asked === undefined || claimed === undefined) return []
    const outcome = wrote === undefined ? 'unknown' : wrote.accepted ? 'ok' : 'failed'
    const [startMs, endMs] = [claimed.sentMs, wrote?.atMs ?? null]
    return [{ process, kind: 'add' as const, key: asked.key, startMs, endMs, outcome, value: claimed.value }]
  })
}

export function the<E extends LockEvent['e']>(e: E, story: readonly LockEvent[]): Of<E> | undefined {
  return all(e, story)[0]
}

export function all<E extends LockEvent['e']>(e: E, story: readonly LockEvent[]): Of<E>[] {
  return story.filter((one): one is Of<E> => one.e === e)
}
