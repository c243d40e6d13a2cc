import { type RandomStream, RandomStreams } from '@lockstep/testkit'
import { type BackendName, endsWithConnection } from './backends.ts'
import type { ServerFault } from './faulty-servers.ts'

/** `expiry`: every way is a black hole until the session or the lease has ended at the servers, and then the client comes back. */
export const linkFaults = ['expiry', 'black-hole', 'no-answers', 'half-open', 'cut'] as const
export type LinkFault = (typeof linkFaults)[number]

/** Who is struck: whoever works under the lease at that moment, or somebody else. */
export type Target = 'holder' | 'waiter'

export type LockStrike = { readonly afterMs: number; readonly forMs: number } /** SIGSTOP, then SIGCONT. */ & (
  | { readonly kind: 'stop'; readonly target: Target }
  /** `kill -9`; another life begins afterwards. */
  | { readonly kind: 'kill'; readonly target: Target }
  /** The event loop is kept busy. */
  | { readonly kind: 'block'; readonly target: Target }
  | { readonly kind: 'link'; readonly target: Target; readonly fault: LinkFault; readonly share: number }
  | { readonly kind: 'server'; readonly fault: ServerFault; readonly share: number }
)

/** At a half-open link PostgreSQL ends an advisory lock before its holder can know: no backend of that kind promises anything there. */
export function linkFaultsOn(backend: BackendName): readonly LinkFault[] {
  return endsWithConnection(backend) ? linkFaults.filter((fault) => fault !== 'half-open') : linkFaults
}

/** Two go on side by side: what is done to processes, and what is done to the network and the servers. */
export type Lane = 'processes' | 'outside'

export interface LockPlanSettings {
  readonly seed: number
  readonly ttlMs: number
  readonly serverFaults: readonly ServerFault[]
  readonly linkFaults: readonly LinkFault[]
}

/** Without end: every kind once, then all of them again and again in another order. */
export function* planLane(lane: Lane, settings: LockPlanSettings): Generator<LockStrike> {
  const random = new RandomStreams(settings.seed, () => {}).fork(lane)
  for (;;) {
    const round = lane === 'processes' ? processRound : outsideRound(settings)
    // What shows most comes first: a short run may end in the middle.
    const [first, others] = [round.slice(0, 2), round.slice(2)]
    for (const make of [...first, ...shuffle(others, random)]) yield make(random, settings)
  }
}

type Make = (random: RandomStream, settings: LockPlanSettings) => LockStrike

const processRound: readonly Make[] = [
  (random, settings) => ({ kind: 'stop', target: 'holder', ...beyondTtl(random, settings) }),
  (random) => ({ kind: 'kill', target: 'holder', ...briefly(random) }),
  (random) => ({ kind: 'kill', target: 'waiter', ...briefly(random) }),
  (random, settings) => ({ kind: 'block', target: 'holder', ...beyondTtl(random, settings) }),
  (random, settings) => ({ kind: 'stop', target: 'waiter', ...beyondTtl(random, settings) }),
  (random, settings) => ({ kind: 'stop', target: 'holder', ...beyondTtl(random, settings) }),
]

function outsideRound(settings: LockPlanSettings): Make[] {
  const servers = settings.serverFaults.map(
    (fault): Make =>
      (random) => ({ kind: 'server', fault, share: random.fraction('share'), ...serverTime(random) }),
  )
  const links = settings.linkFaults.map(
    (fault): Make =>
      (random, plan) => ({
        kind: 'link',
        fault,
        target: random.chance('waiter', 0.4) && fault !== 'expiry' ? 'waiter' : 'holder',
        share: fault === 'expiry' ? 1 : random.fraction('share'),
        ...(fault === 'expiry' ? beyondTtl(random, plan) : awhile(random, plan)),
      }),
  )
  return [...links.slice(0, 1), ...servers, ...links.slice(1)]
}

function beyondTtl(random: RandomStream, { ttlMs }: LockPlanSettings) {
  const [least, most] = [Math.round(ttlMs * 1.3), Math.round(ttlMs * 2)]
  return { afterMs: random.integer('after', 20, 300), forMs: random.integer('beyond', least, most) }
}

function awhile(random: RandomStream, { ttlMs }: LockPlanSettings) {
  const most = random.chance('long', 0.5) ? Math.round(ttlMs * 1.5) : 300
  return { afterMs: random.integer('after', 20, 300), forMs: random.integer('for', 20, most) }
}

function briefly(random: RandomStream) {
  return { afterMs: random.integer('after', 20, 300), forMs: random.integer('down', 10, 300) }
}

function serverTime(random: RandomStream) {
  return { afterMs: random.integer('after', 20, 300), forMs: random.integer('server down', 20, 1_500) }
}

function shuffle<T>(items: readonly T[], random: RandomStream): T[] {
  return items
    .map((item) => ({ item, key: random.fraction('shuffle') }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item)
}
