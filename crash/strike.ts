/** Carries out one strike after another and keeps the score. */
import type { RunningPostgres } from '@lockstep/testkit'
import { sleep } from './load.ts'
import type { Strike } from './plan.ts'
import type { Installation, Victim } from './processes.ts'

export interface Score {
  armed: number
  atPoint: number
  fromOutside: number
  coordinatorPauses: number
  bankPauses: number
  postgresKills: number
}

const diesWithinMs = 4_000

export class Striker {
  readonly score: Score = {
    armed: 0,
    atPoint: 0,
    fromOutside: 0,
    coordinatorPauses: 0,
    bankPauses: 0,
    postgresKills: 0,
  }
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
    if (strike.kind === 'point') await this.#arm(victim, `${strike.point}=${strike.pass}*exit`)
    else {
      await sleep(strike.afterMs)
      this.score.fromOutside += 1
    }
    await victim.signal('SIGKILL')
    await victim.start(null)
  }

  /** Null when the run has shown something; else why it has not: points that are never passed test nothing. */
  provesNothing(): string | null {
    const { armed, atPoint } = this.score
    return 3 * atPoint >= armed ? null : `only ${atPoint} of ${armed} armed fail points fired: this run proves nothing`
  }

  toString(): string {
    const { armed, atPoint, fromOutside, coordinatorPauses, bankPauses, postgresKills } = this.score
    return (
      `${atPoint} of ${armed} at fail points, ${fromOutside} from outside, ${coordinatorPauses} coordinator and ` +
      `${bankPauses} bank pauses, ${postgresKills} kills of PostgreSQL`
    )
  }

  /** To arm a process it has to be started anew, and how could that begin but with a kill. */
  async #arm(victim: Victim, failpoints: string): Promise<void> {
    await victim.signal('SIGKILL')
    await victim.start(failpoints)
    this.score.armed += 1
    if (await victim.diesWithin(diesWithinMs)) this.score.atPoint += 1
  }

  async #pause(victim: Victim, { role, afterMs, pauseMs }: Extract<Strike, { kind: 'pause' }>): Promise<void> {
    await sleep(afterMs)
    await victim.signal('SIGSTOP')
    await sleep(pauseMs)
    await victim.signal('SIGCONT')
    if (role === 'coordinator') this.score.coordinatorPauses += 1
    else this.score.bankPauses += 1
  }

  /** Everybody else has to find the way back alone: nobody is restarted here. */
  async #killPostgres({ afterMs, downMs }: Extract<Strike, { kind: 'postgres' }>): Promise<void> {
    await sleep(afterMs)
    await this.#postgres?.kill()
    await sleep(downMs)
    await this.#postgres?.restart()
    this.score.postgresKills += 1
    for (const { name, isRunning } of [...this.#installation.coordinators, ...this.#installation.banks])
      if (!isRunning) throw new Error(`${name} has not survived the restart of PostgreSQL`)
  }
}
