import { type RandomStream, RandomStreams } from '@lockstep/testkit'
import type { TransferPattern } from '../examples/bank/transfer.ts'

/** Where a process can be made to kill itself; the names are those of the code. */
const coordinatorPoints = [
  'coordinator.begin.before-durable',
  'coordinator.begin.after-durable',
  'journal.commit.before',
  'journal.commit.after',
  'coordinator.call.before',
  'coordinator.call.after-outcome',
  'coordinator.decision.before-durable',
  'coordinator.decision.after-durable',
  'coordinator.end.before-durable',
  'coordinator.end.after-durable',
  'coordinator.claim.after',
] as const

const participantPoints = [
  'participant.barrier.after-insert',
  'participant.business.after',
  'participant.commit.after',
] as const

/** A saga is begun by a client, which is no process of ours; the others are initiated by a bank. */
const initiatorPoints = {
  saga: [],
  tcc: [
    'tcc.initiator.after-registering.before-try',
    'tcc.initiator.after-all-tries',
    'tcc.initiator.commit-unanswered',
  ],
  message: [
    'message.producer.begin-unanswered',
    'message.producer.after-begin.before-local',
    'message.producer.after-local.before-commit',
    'message.producer.commit-unanswered',
  ],
} as const satisfies Record<TransferPattern, readonly string[]>

/**
 * Where an initiator is held up while somebody else decides without it: a TCC at its deadline, a message by its check-back. Also in the
 * middle of the producer's own database transaction, while the check-back asks about that.
 */
const stallPoints: Record<TransferPattern, readonly string[]> = {
  saga: [],
  tcc: ['tcc.initiator.after-registering.before-try', 'tcc.initiator.after-all-tries'],
  message: [
    'message.producer.after-begin.before-local',
    'participant.business.after',
    'message.producer.after-local.before-commit',
  ],
}

export type Role = 'coordinator' | 'bank'

export interface NamedPoint {
  readonly role: Role
  readonly point: string
}

/** Every fail point that a run of these patterns can pass. */
export function pointsOf(patterns: readonly TransferPattern[]): NamedPoint[] {
  const banks = [...participantPoints, ...patterns.flatMap((pattern) => initiatorPoints[pattern])]
  return [
    ...coordinatorPoints.map((point) => ({ role: 'coordinator' as const, point })),
    ...banks.map((point) => ({ role: 'bank' as const, point })),
  ]
}

/** One way for something to go down. `which` is the position within its role. */
export type Strike =
  /** It kills itself at the so-manyth pass of a fail point. */
  | (NamedPoint & { readonly kind: 'point'; readonly which: number; readonly pass: number })
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
  /** It is held up at a fail point: `stop` stops the whole process there, `sleep` only this one piece of its work. */
  | (NamedPoint & {
      readonly kind: 'stall'
      readonly which: number
      readonly pass: number
      readonly how: 'stop' | 'sleep'
      readonly forMs: number
    })
  /** `kill -9` of the database server with every backend, and its restart. */
  | { readonly kind: 'postgres'; readonly afterMs: number; readonly downMs: number }

export interface PlanSettings {
  readonly seed: number
  readonly strikes: number
  readonly patterns: readonly TransferPattern[]
  readonly coordinators: number
  readonly banks: number
  /** The coordinators' store is a PostgreSQL that may be killed. */
  readonly killsPostgres: boolean
  /** How many of the points another run has had already: two short runs cover more together. */
  readonly pointsHad?: number
}

/** Beyond the lease (4 s), the timeout of a call (10 s) and a TCC's deadline (5 s). */
const pauseMs = 12_000
/** Beyond the deadline, and beyond the first check-back (2 s) with its wait for an open transaction (2 s). */
const sleepMs = 7_000
/** Among so many strikes there is one of each of the rare kinds. */
const cycle = 25

/** The short run in `npm test`: so many strikes on each store, on PostgreSQL with the points that SQLite had no time for. */
export const smoke = { strikes: 14, pointsOnSqlite: 12 } as const

/** Every point once, then all of them again and again, in another order each time and mixed with kills from outside. */
export function planStrikes(settings: PlanSettings): Strike[] {
  const random = new RandomStreams(settings.seed, () => {}).fork('strikes')
  const named = pointsOf(settings.patterns)
  const upcoming = shuffle(named, random).slice(settings.pointsHad ?? 0)
  const firstRound = new Set(upcoming)
  return Array.from({ length: settings.strikes }, (_, number) => {
    const rare = rareOf(number % cycle, settings, random)
    if (rare !== null) return rare
    if (firstRound.size === 0 && random.chance('from outside', 0.3)) return killOf(settings, random)
    if (upcoming.length === 0) upcoming.push(...shuffle(named, random))
    const next = upcoming.shift() ?? random.pick('point', named)
    firstRound.delete(next)
    return { kind: 'point', ...next, which: whichOf(next.role, settings, random), pass: passOf(next, random) }
  })
}

/** The thirtieth pass of most is a matter of a second or two; a claim comes only with a takeover. */
function passOf({ point }: NamedPoint, random: RandomStream): number {
  return random.integer('pass', 1, point === 'coordinator.claim.after' ? 1 : 30)
}

function rareOf(inCycle: number, settings: PlanSettings, random: RandomStream): Strike | null {
  switch (inCycle) {
    case 3:
      // A coordinator that sleeps beyond its lease proves something where another one takes over meanwhile.
      return settings.coordinators > 1 ? pauseOf('coordinator', settings, random) : null
    case 5:
      return stallOf('sleep', settings, random)
    case 7:
      return pauseOf('bank', settings, random)
    case 11:
      if (!settings.killsPostgres) return null
      return { kind: 'postgres', afterMs: afterMs(random), downMs: random.integer('down', 100, 3_000) }
    case 15:
      return stallOf('stop', settings, random)
    default:
      return null
  }
}

function stallOf(how: 'stop' | 'sleep', settings: PlanSettings, random: RandomStream): Strike | null {
  const points = settings.patterns.flatMap((pattern) => stallPoints[pattern])
  if (points.length === 0) return null
  const [role, forMs] = ['bank' as const, how === 'stop' ? pauseMs : sleepMs]
  const point = random.pick('stall', points)
  return {
    kind: 'stall',
    role,
    point,
    which: whichOf(role, settings, random),
    pass: random.integer('pass', 1, 10),
    how,
    forMs,
  }
}

function killOf(settings: PlanSettings, random: RandomStream): Strike {
  const role = random.pick('role', ['coordinator', 'bank'] as const)
  return { kind: 'kill', role, which: whichOf(role, settings, random), afterMs: afterMs(random) }
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
