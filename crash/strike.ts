/** Carries out one strike after another and keeps the score. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningPostgres } from '@lockstep/testkit'
import type { Strike } from './plan.ts'
import type { Installation } from './processes.ts'
import type { Victim } from './victim.ts'

/** A takeover, with its own fail point, comes when a lease has ended. */
const firesWithinMs = 8_000
/** What was held up goes on for so long before the process is killed. */
const afterStallMs = 3_000

type Count = { armed: number; fired: number }
type Of<Kind extends Strike['kind']> = Extract<Strike, { kind: Kind }>

export class Striker {
  readonly points = new Map<string, Count>()
  readonly stalls = new Map<string, Count>()
  #fromOutside = 0
  #coordinatorPauses = 0
  #bankPauses = 0
  #postgresKills = 0
  readonly #installation: Installation
  readonly #postgres: RunningPostgres | null

  constructor(installation: Installation, postgres: RunningPostgres | null) {
    this.#installation = installation
    this.#postgres = postgres
  }

  async strike(strike: Strike): Promise<void> {
    if (strike.kind === 'postgres') return this.#killPostgres(strike)
    const { role, which } = strike
    const victim = (role === 'coordinator' ? this.#installation.coordinators : this.#installation.banks)[which]
    if (victim === undefined) throw new Error(`there is no ${role} ${which}`)
    if (strike.kind === 'pause') return this.#pause(victim, strike)
    if (strike.kind === 'point') await this.#dieAtPoint(victim, strike)
    else if (strike.kind === 'stall') await this.#stall(victim, strike)
    else await this.#dieFromOutside(strike)
    await victim.signal('SIGKILL')
    await victim.start(null)
  }

  /** Null when the run has shown something; else why it has not: points that are never passed test nothing. */
  provesNothing(): string | null {
    const { armed, fired } = total(this.points)
    return 3 * fired >= armed ? null : `only ${fired} of ${armed} armed fail points fired: this run proves nothing`
  }

  toString(): string {
    const [points, stalls] = [total(this.points), total(this.stalls)]
    return (
      `${points.fired} of ${points.armed} at fail points, ${this.#fromOutside} from outside, ${stalls.fired} of ${stalls.armed} held up, ` +
      `${this.#coordinatorPauses} coordinator and ${this.#bankPauses} bank pauses, ${this.#postgresKills} kills of PostgreSQL`
    )
  }

  async #dieAtPoint(victim: Victim, { point, pass }: Of<'point'>): Promise<void> {
    await this.#arm(victim, `${point}=${pass}*exit`)
    // A claim takes over what others have left behind, so they must leave something.
    const away =
      point === 'coordinator.claim.after' ? this.#installation.coordinators.filter((one) => one !== victim) : []
    for (const one of away) await one.signal('SIGKILL')
    count(this.points, point, await victim.diesWithin(firesWithinMs))
    for (const one of away) await one.start(null)
  }

  /** To arm a process it has to be started anew, and how could that begin but with a kill. */
  async #arm(victim: Victim, failpoints: string): Promise<void> {
    await victim.signal('SIGKILL')
    await victim.start(failpoints)
  }

  async #dieFromOutside({ afterMs }: Of<'kill'>): Promise<void> {
    await sleep(afterMs)
    this.#fromOutside += 1
  }

  async #stall(victim: Victim, { point, pass, how, forMs }: Of<'stall'>): Promise<void> {
    await this.#arm(victim, `${point}=${pass}*${how === 'stop' ? 'pause' : `sleep(${forMs})`}`)
    if (how === 'sleep') {
      // Nobody outside sees one piece of work asleep; what it comes to shows in what the bank answers.
      await sleep(forMs + afterStallMs)
      return count(this.stalls, `${point} asleep`, true)
    }
    const stopped = await until(() => victim.isStopped, firesWithinMs)
    count(this.stalls, `${point} stopped`, stopped)
    if (!stopped) return
    await sleep(forMs)
    // The point is passed again by others, and stops the process again: it limps on.
    for (let limpedMs = 0; limpedMs < afterStallMs; limpedMs += 10) {
      if (victim.isStopped) await victim.signal('SIGCONT')
      await sleep(10)
    }
  }

  async #pause(victim: Victim, { role, afterMs, pauseMs }: Of<'pause'>): Promise<void> {
    await sleep(afterMs)
    await victim.signal('SIGSTOP')
    await sleep(pauseMs)
    await victim.signal('SIGCONT')
    if (role === 'coordinator') this.#coordinatorPauses += 1
    else this.#bankPauses += 1
  }

  /** Everybody else has to find the way back alone: nobody is restarted here. */
  async #killPostgres({ afterMs, downMs }: Of<'postgres'>): Promise<void> {
    await sleep(afterMs)
    await this.#postgres?.kill()
    await sleep(downMs)
    await this.#postgres?.restart()
    this.#postgresKills += 1
    for (const { name, isRunning } of [...this.#installation.coordinators, ...this.#installation.banks])
      if (!isRunning) throw new Error(`${name} has not survived the restart of PostgreSQL`)
  }
}

/** As `coordinator.claim.after 2 of 3`, sorted. */
export function counted(counts: ReadonlyMap<string, Count>): string {
  return [...counts]
    .map(([name, { armed, fired }]) => `${name} ${fired} of ${armed}`)
    .sort()
    .join(', ')
}

function count(counts: Map<string, Count>, name: string, hasFired: boolean): void {
  const { armed, fired } = counts.get(name) ?? { armed: 0, fired: 0 }
  counts.set(name, { armed: armed + 1, fired: fired + (hasFired ? 1 : 0) })
}

function total(counts: ReadonlyMap<string, Count>): Count {
  const all = [...counts.values()]
  return {
    armed: all.reduce((sum, { armed }) => sum + armed, 0),
    fired: all.reduce((sum, { fired }) => sum + fired, 0),
  }
}

async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 25) {
    if (holds()) return true
    await sleep(25)
  }
  return holds()
}
