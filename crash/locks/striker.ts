/** Carries out strikes on workers, their ways and the servers, keeps the score, and remembers who was disturbed when. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Servers } from './faulty-servers.ts'
import { nowMs } from './journal.ts'
import type { Link } from './link.ts'
import type { LinkFault, LockStrike, Target } from './plan.ts'
import type { Disturbance } from './verdicts.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface StrikerParts {
  readonly workers: readonly WorkerProcess[]
  readonly servers: Servers
  /** The life that works under the lease now. */
  readonly inside: () => string | null
}

type Of<Kind extends LockStrike['kind']> = Extract<LockStrike, { kind: Kind }>

/** So long is a holder waited for, to be hit in the middle of its work. */
const insideWithinMs = 1_500

export class LockStriker {
  readonly disturbances: Disturbance[] = []
  /** When the server has ended connections, and of whom; null is everybody. */
  readonly connectionEnds: { readonly worker: string | null; readonly atMs: number }[] = []
  strikes = 0
  readonly #parts: StrikerParts
  readonly #counts = new Map<string, number>()
  /** Two lanes must not strike one worker at once. */
  readonly #struck = new Set<WorkerProcess>()

  constructor(parts: StrikerParts) {
    this.#parts = parts
  }

  async strike(strike: LockStrike): Promise<void> {
    await sleep(strike.afterMs)
    if (strike.kind === 'server') return this.#strikeServer(strike)
    const worker = await this.#chosen(strike.target)
    if (worker === null) return
    this.#struck.add(worker)
    const what = strike.kind === 'link' ? strike.fault : strike.kind
    this.#count(`${what} of a ${strike.target}`)
    const [name, fromMs] = [worker.process, nowMs()]
    try {
      if (strike.kind === 'link') await this.#strikeLink(worker, strike)
      else await this.#strikeProcess(worker, strike)
    } finally {
      this.#struck.delete(worker)
      this.disturbances.push({ worker: name, fromMs, toMs: nowMs() })
    }
  }

  toString(): string {
    return [...this.#counts].map(([what, times]) => `${what} ${times}`).join(', ')
  }

  async #strikeProcess(worker: WorkerProcess, { kind, forMs }: Of<'stop'> | Of<'kill'> | Of<'block'>): Promise<void> {
    if (kind === 'stop') {
      worker.signal('SIGSTOP')
      await sleep(forMs)
      worker.signal('SIGCONT')
    } else if (kind === 'block') {
      worker.block(forMs)
      await sleep(forMs)
    } else {
      await worker.kill()
      await sleep(forMs)
      const fromMs = nowMs()
      await worker.start()
      this.disturbances.push({ worker: worker.process, fromMs, toMs: nowMs() })
    }
  }

  async #strikeLink(worker: WorkerProcess, { fault, share, forMs }: Of<'link'>): Promise<void> {
    // Of several servers some are out of reach, and sometimes all of them.
    const count = share > 0.6 ? worker.links.length : Math.ceil(worker.links.length / 2)
    const links = worker.links.slice(0, count)
    if (fault === 'half-open') this.connectionEnds.push({ worker: worker.process, atMs: nowMs() })
    for (const link of links) fail(link, fault)
    await sleep(forMs)
    this.connectionEnds.push({ worker: worker.process, atMs: nowMs() })
    for (const link of links) link.heal()
  }

  async #strikeServer({ fault, forMs, share }: Of<'server'>): Promise<void> {
    this.#count(`${fault === 'end' ? 'end of connections' : fault} at the servers`)
    const fromMs = nowMs()
    this.connectionEnds.push({ worker: null, atMs: fromMs })
    await this.#parts.servers.strike(fault, { forMs, share, untilHeld: () => this.#untilHeld() })
    this.disturbances.push({ worker: null, fromMs, toMs: nowMs() })
  }

  async #untilHeld(): Promise<void> {
    const untilMs = nowMs() + insideWithinMs
    while (this.#parts.inside() === null && nowMs() < untilMs) await sleep(5)
  }

  async #chosen(target: Target): Promise<WorkerProcess | null> {
    const free = () => this.#parts.workers.filter((one) => !this.#struck.has(one))
    for (let waitedMs = 0; waitedMs < insideWithinMs; waitedMs += 5) {
      const inside = this.#parts.inside()
      const holder = free().find((one) => one.process === inside)
      if (target === 'holder' && holder !== undefined) return holder
      const others = free().filter((one) => one !== holder)
      if (target === 'waiter' && others.length > 0) return others[this.strikes % others.length] ?? null
      await sleep(5)
    }
    return free()[0] ?? null
  }

  #count(what: string): void {
    this.strikes += 1
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

function fail(link: Link, fault: LinkFault): void {
  if (fault === 'cut') link.cut()
  else if (fault === 'black-hole' || fault === 'expiry') link.blackHole()
  else if (fault === 'no-answers') link.dropAnswers()
  else link.halfOpen()
}
