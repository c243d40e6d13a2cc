import { type RandomStream, RandomStreams } from '@lockstep/testkit'

/** Where a process can be made to kill itself; the names are those of the code. */
export const coordinatorPoints = [
  'coordinator.begin.before-durable',
  'coordinator.begin.after-durable',
  'journal.commit.before',
  'journal.commit.after',
  'coordinator.call.before',
  'coordinator.call.after-outcome',
  'coordinator.decision.before-durable',
  'coordinator.end.before-durable',
  'coordinator.end.after-durable',
  'coordinator.claim.after',
] as const

export const bankPoints = [
  'participant.barrier.after-insert',
  'participant.business.after',
  'participant.commit.after',
] as const

export type Role = 'coordinator' | 'bank'

/** One way for something to go down. `which` is the position within its role. */
export type Strike =
  /** It kills itself at the so-manyth pass of a fail point. */
  | {
      readonly kind: 'point'
      readonly role: Role
      readonly which: number
      readonly point: string
      readonly pass: number
    }
  /** `kill -9` from outside at a random moment. */
  | { readonly kind: 'kill'; readonly role: Role; readonly which: number; readonly afterMs: number }
  /** SIGSTOP, then SIGCONT: beyond a coordinator's lease, and beyond the timeout of the calls to a bank. */
  | {
      readonly kind: 'pause'
      readonly role: Role
      readonly which: number
      readonly afterMs: number
      readonly pauseMs: number
    }
  /** `kill -9` of the database server with every backend, and its restart. */
  | { readonly kind: 'postgres'; readonly afterMs: number; readonly downMs: number }

export interface PlanSettings {
  readonly seed: number
  readonly strikes: number
  readonly coordinators: number
  readonly banks: number
  /** The coordinators' store is a PostgreSQL that may be killed. */
  readonly killsPostgres: boolean
}

const pauseMs = 12_000
/** Among so many strikes there is one of each of the rare kinds. */
const cycle = 25

/** Every point once, then whatever the seed says. */
export function planStrikes(settings: PlanSettings): Strike[] {
  const random = new RandomStreams(settings.seed, () => {}).fork('strikes')
  const named = [
    ...coordinatorPoints.map((point) => ({ role: 'coordinator' as const, point })),
    ...bankPoints.map((point) => ({ role: 'bank' as const, point })),
  ]
  const upcoming = shuffle(named, random)
  return Array.from({ length: settings.strikes }, (_, number) => {
    const rare = rareOf(number % cycle, settings, random)
    if (rare !== null) return rare
    const first = upcoming.shift()
    if (first !== undefined) return atPoint(first, settings, random)
    const { role, point } = random.pick('point', named)
    return random.chance('from outside', 0.4)
      ? { kind: 'kill', role, which: whichOf(role, settings, random), afterMs: afterMs(random) }
      : atPoint({ role, point }, settings, random)
  })
}

function rareOf(inCycle: number, settings: PlanSettings, random: RandomStream): Strike | null {
  // A coordinator that sleeps beyond its lease proves something where another one takes over meanwhile.
  if (inCycle === 3 && settings.coordinators > 1) return pauseOf('coordinator', settings, random)
  if (inCycle === 7) return pauseOf('bank', settings, random)
  if (inCycle !== 11 || !settings.killsPostgres) return null
  return { kind: 'postgres', afterMs: afterMs(random), downMs: random.integer('down', 100, 3_000) }
}

function atPoint({ role, point }: { role: Role; point: string }, settings: PlanSettings, random: RandomStream): Strike {
  return { kind: 'point', role, which: whichOf(role, settings, random), point, pass: random.integer('pass', 1, 30) }
}

function pauseOf(role: Role, settings: PlanSettings, random: RandomStream): Strike {
  return { kind: 'pause', role, which: whichOf(role, settings, random), afterMs: afterMs(random), pauseMs }
}

function whichOf(role: Role, { coordinators, banks }: PlanSettings, random: RandomStream): number {
  return random.integer('which', 0, (role === 'coordinator' ? coordinators : banks) - 1)
}

function afterMs(random: RandomStream): number {
  return random.integer('after', 100, 1_500)
}

function shuffle<T>(items: readonly T[], random: RandomStream): T[] {
  return items
    .map((item) => ({ item, key: random.fraction('shuffle') }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item)
}
