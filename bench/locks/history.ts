/** What the holders of one name have done, by one clock for all processes of the machine. */

/** Milliseconds of the kernel's monotonic clock, which every process of the machine reads alike, those of Java too. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export interface Grant {
  /** Unique among all processes of the run. */
  readonly waiter: number
  readonly askedMs: number
  readonly acquiredMs: number
  /** When the release began; Infinity when it was still held at the end. */
  readonly releasedMs: number
  /** Null for those that have none. */
  readonly token: bigint | null
}

/** One process's part of a contest. */
export interface Account {
  readonly grants: readonly Grant[]
  /** Since when those wait that were not served at the end. */
  readonly waitingSinceMs: readonly number[]
  readonly endedMs: number
}

export interface History {
  /** In the order in which they were granted. */
  readonly grants: readonly Grant[]
  /** Of each wait; one that had no end counts until the end of the contest. */
  readonly waitsMs: readonly number[]
}

export function historyOf(accounts: readonly Account[]): History {
  const grants = accounts.flatMap((account) => account.grants).sort((a, b) => a.acquiredMs - b.acquiredMs)
  const served = grants.map(({ askedMs, acquiredMs }) => acquiredMs - askedMs)
  const endless = accounts.flatMap(({ waitingSinceMs, endedMs }) => waitingSinceMs.map((since) => endedMs - since))
  return { grants, waitsMs: [...served, ...endless] }
}

/** From the beginning of a release to the next holder at work. */
export function handOffsMs({ grants }: History): number[] {
  return pairs(grants)
    .map(([before, next]) => next.acquiredMs - before.releasedMs)
    .filter((handOff) => handOff >= 0)
}

/** How many of the grants went to the waiter that had just released. */
export function retakenShare({ grants }: History): number {
  const again = pairs(grants).filter(([before, next]) => before.waiter === next.waiter)
  return grants.length < 2 ? 0 : again.length / (grants.length - 1)
}

/** The longest time without a grant, from the first to the last, and on to the end when nobody came any more. */
export function longestGapMs({ grants }: History, endedMs: number): number {
  const first = grants[0]?.acquiredMs ?? endedMs
  const moments = [first, ...grants.map(({ acquiredMs }) => acquiredMs), endedMs]
  return Math.max(...pairs(moments).map(([before, next]) => next - before))
}

export function pairs<Item>(items: readonly Item[]): [Item, Item][] {
  return items.slice(1).map((item, index) => [items[index] as Item, item])
}
