import type { Operation } from 'lockstep/ports'
import type { Execution, Request, World, WorldStep, Worlds } from '../model/world.ts'
import type { Answer, Participant, Standing } from './participant.ts'

export interface Branch {
  readonly name: string
  readonly participant: Participant
  /** What a coordinator or an initiator may send. */
  readonly operations: readonly Operation[]
  /** A request is executed once or lost, and never after its caller has given up. */
  readonly isPlain?: true
}

/** The branches of a scenario, and what is on the wire to them. */
export class Participants<Rest> {
  readonly #branches: readonly Branch[]
  readonly #worlds: Worlds<Rest>
  readonly #requests: readonly Request[]
  readonly #bits: ReadonlyMap<string, number>
  readonly #executions = new Map<string, readonly Execution<Rest>[]>()

  constructor(branches: readonly Branch[], worlds: Worlds<Rest>) {
    this.#branches = branches
    this.#worlds = worlds
    this.#requests = branches.flatMap(({ name, operations }) =>
      operations.map((operation) => ({ branch: name, operation })),
    )
    this.#bits = new Map(this.#requests.map(({ branch, operation }, at) => [`${branch}/${operation}`, 1 << at]))
  }

  /** Where nothing was ever sent. */
  get untouched(): Pick<World, 'sent' | 'standings'> {
    return { sent: 0, standings: this.#branches.map(() => 0) }
  }

  bitOf({ branch, operation }: Request): number {
    const bit = this.#bits.get(`${branch}/${operation}`)
    if (bit === undefined) throw new Error(`Nobody expected a ${operation} of ${branch}.`)
    return bit
  }

  isSent({ sent }: World<Rest>, branch: string, operation: Operation): boolean {
    return (sent & this.bitOf({ branch, operation })) !== 0
  }

  /** Whether any branch was sent this operation. */
  isAnySent(world: World<Rest>, operation: Operation): boolean {
    const isMeant = (request: Request): boolean => request.operation === operation
    return this.#requests.some((one) => isMeant(one) && this.isSent(world, one.branch, operation))
  }

  send(world: World<Rest>, request: Request): World<Rest> {
    const sent = world.sent | this.bitOf(request)
    return sent === world.sent ? world : this.#worlds.of({ ...world, sent })
  }

  standingOf(world: World<Rest>, branch: string): Standing {
    const standing = this.#of(branch).participant.standings[this.#standing(world, branch)]
    if (standing === undefined) throw new Error(`${branch} stands nowhere.`)
    return standing
  }

  /** Nothing that was sent is executed before it was sent. */
  executions(world: World<Rest>, { branch, operation }: Request): readonly Execution<Rest>[] {
    const key = `${world.number} ${branch} ${operation}`
    const known = this.#executions.get(key)
    if (known !== undefined) return known
    const found = this.isSent(world, branch, operation) ? this.#executed(world, { branch, operation }) : []
    this.#executions.set(key, found)
    return found
  }

  /** What an operation would answer. */
  answers(world: World<Rest>, branch: string, operation: Operation): readonly Answer[] {
    return this.#of(branch).participant.answers(this.#standing(world, branch), operation)
  }

  /** The branch now stands elsewhere. */
  at(world: World<Rest>, branch: string, standing: number): World<Rest> {
    const standings = world.standings.map((now, at) => (this.#branches[at]?.name === branch ? standing : now))
    return this.#worlds.of({ ...world, standings })
  }

  /** What was sent is executed, and nobody hears of it. */
  strays(world: World<Rest>, mayRun: (request: Request) => boolean = () => true): WorldStep<Rest>[] {
    return this.#requests.filter(mayRun).flatMap((request) => {
      const unheard = this.executions(world, request).map((run): WorldStep<Rest> => {
        return { world: run.world, text: `${run.text}; nobody hears it`, heals: false }
      })
      const { branch, operation } = request
      const isLosable = this.#of(branch).isPlain === true && this.isSent(world, branch, operation)
      const lost = { world: this.#without(world, request), text: `${operation} of ${branch} is lost`, heals: true }
      return isLosable ? [...unheard, lost] : unheard
    })
  }

  /** How a barrier has broken its word. */
  fault(world: World<Rest>): string | null {
    const faults = this.#branches.map(({ name }) => [name, this.standingOf(world, name).fault] as const)
    const [name, fault = null] = faults.find((one) => one[1] !== null) ?? []
    return fault === null ? null : `${name}: ${fault}`
  }

  #executed(world: World<Rest>, request: Request): Execution<Rest>[] {
    const { branch, operation } = request
    const wire = this.#of(branch).isPlain === true ? this.#without(world, request) : world
    return this.answers(world, branch, operation).map(({ to, outcome, text, refusedByBusiness }) => {
      return { world: this.at(wire, branch, to), outcome, text: `${branch}: ${text}`, heals: !refusedByBusiness }
    })
  }

  #of(branch: string): Branch {
    const found = this.#branches.find(({ name }) => name === branch)
    if (found === undefined) throw new Error(`There is no branch ${branch}.`)
    return found
  }

  #standing({ standings }: World<Rest>, branch: string): number {
    return standings[this.#branches.indexOf(this.#of(branch))] ?? 0
  }

  #without(world: World<Rest>, request: Request): World<Rest> {
    return this.#worlds.of({ ...world, sent: world.sent & ~this.bitOf(request) })
  }
}
