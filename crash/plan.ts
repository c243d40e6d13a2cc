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

/** One way for one process to go down. */
export interface Strike {
  readonly role: 'coordinator' | 'bank'
  /** Which of its role. */
  readonly which: number
  /** Null: `kill -9` from outside at a random moment, or SIGSTOP where `pauseMs` is given. */
  readonly point: string | null
  /** The point fires at its so-manyth pass. */
  readonly pass: number
  readonly afterMs: number
  readonly pauseMs: number | null
}

export interface PlanSettings {
  readonly seed: number
  readonly strikes: number
  readonly coordinators: number
  readonly banks: number
  /** A pause beyond the lease needs another coordinator that takes over meanwhile. */
  readonly pauses: boolean
}

const pauseMs = 12_000
const pauseEvery = 25

/** Every point once, then whatever the seed says. */
export function planStrikes(settings: PlanSettings): Strike[] {
  const random = new RandomStreams(settings.seed, () => {}).fork('strikes')
  const named = [
    ...coordinatorPoints.map((point) => ({ role: 'coordinator' as const, point })),
    ...bankPoints.map((point) => ({ role: 'bank' as const, point })),
  ]
  const shuffled = shuffle(named, random)
  return Array.from({ length: settings.strikes }, (_, number) => {
    if (settings.pauses && number % pauseEvery === 3) return pauseOf(settings, random)
    const chosen = shuffled[number] ?? drawn(named, random)
    return strikeOf(chosen, settings, random)
  })
}

function drawn<T extends { readonly role: 'coordinator' | 'bank'; readonly point: string }>(
  named: readonly T[],
  random: RandomStream,
) {
  const chosen = random.pick('point', named)
  return random.chance('from outside', 0.4) ? { role: chosen.role, point: null } : chosen
}

function strikeOf(
  chosen: { role: 'coordinator' | 'bank'; point: string | null },
  settings: PlanSettings,
  random: RandomStream,
): Strike {
  const count = chosen.role === 'coordinator' ? settings.coordinators : settings.banks
  return {
    ...chosen,
    which: random.integer('which', 0, count - 1),
    pass: random.integer('pass', 1, 30),
    afterMs: random.integer('after', 100, 1_500),
    pauseMs: null,
  }
}

function pauseOf(settings: PlanSettings, random: RandomStream): Strike {
  const which = random.integer('which', 0, settings.coordinators - 1)
  return { role: 'coordinator', which, point: null, pass: 1, afterMs: random.integer('after', 100, 1_000), pauseMs }
}

function shuffle<T>(items: readonly T[], random: RandomStream): T[] {
  return items
    .map((item) => ({ item, key: random.fraction('shuffle') }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item)
}
