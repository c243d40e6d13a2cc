import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LockEvent, nowMs, readEvents } from './journal.ts'
import { type Link, startLink } from './link.ts'
import type { WorkerOrder, WorkerSettings } from './worker.ts'

const program = join(import.meta.dirname, 'worker.ts')

export type WorkerPlan = Omit<WorkerSettings, 'process' | 'file' | 'ways'> & {
  readonly name: string
  readonly directory: string
  readonly serverPorts: readonly number[]
  readonly database: string
}

interface BegunLife {
  readonly process: string
  readonly file: string
  readonly startedMs: number
  killedMs: number | null
}

/** A runner that dies must not leave workers behind, not even those that are stopped. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A worker under fire, with its own ways to the servers, through one life after the other. */
export class WorkerProcess {
  readonly links: readonly Link[]
  readonly lives: BegunLife[] = []
  /** What it did that nobody had told it to. */
  readonly troubles: string[] = []
  readonly #plan: WorkerPlan
  #child: ChildProcess | null = null
  #isExpected = false
  #stderr = ''

  static async create(plan: WorkerPlan): Promise<WorkerProcess> {
    return new WorkerProcess(plan, await Promise.all(plan.serverPorts.map(startLink)))
  }

  private constructor(plan: WorkerPlan, links: readonly Link[]) {
    this.#plan = plan
    this.links = links
  }

  /** The name of the life that it lives. */
  get process(): string {
    return this.lives.at(-1)?.process ?? ''
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when it has begun to ask. */
  async start(): Promise<void> {
    const { name, directory, serverPorts, database, ...settings } = this.#plan
    const life = { process: `${name}.${this.lives.length + 1}`, startedMs: nowMs(), killedMs: null }
    const file = join(directory, `${life.process}.jsonl`)
    const ways = { ports: this.links.map(({ port }) => port), database }
    // It is read while the run goes on, and before the worker has written anything.
    writeFileSync(file, '')
    const told: WorkerSettings = { ...settings, process: life.process, ways, file }
    const child = fork(program, [JSON.stringify(told)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.lives.push({ ...life, file })
    this.#child = child
    running.add(child)
    this.#isExpected = false
    child.stderr?.on('data', (text) => {
      this.#stderr = `${this.#stderr}${String(text)}`.slice(-2_000)
    })
    child.on('error', () => {})
    child.on('exit', (code, signal) => {
      running.delete(child)
      if (!this.#isExpected) this.troubles.push(`${life.process} ended by itself (${code ?? signal}): ${this.#stderr}`)
    })
    await Promise.race([once(child, 'message'), once(child, 'exit')])
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.isRunning) this.#child?.kill(name)
  }

  async kill(): Promise<void> {
    const [child, life] = [this.#child, this.lives.at(-1)]
    if (child === null || life === undefined || !this.isRunning) return
    this.#isExpected = true
    life.killedMs = nowMs()
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  block(blockMs: number): void {
    this.#order({ blockMs })
  }

  /** It asks one last time, closes its locks, and ends because nothing keeps it. False when it does not. */
  async finish(withinMs: number): Promise<boolean> {
    const child = this.#child
    if (child === null || !this.isRunning) return false
    this.#isExpected = true
    const exited = once(child, 'exit') as Promise<[number | null]>
    this.#order({ finish: true })
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(false), withinMs)
    void exited.then(([code]) => resolve(code === 0))
    const ended = await promise
    clearTimeout(timer)
    if (!ended) this.troubles.push(`${this.process} did not end well: ${this.#stderr || 'it still runs'}`)
    return ended
  }

  events(life: BegunLife): LockEvent[] {
    return readEvents(life.file)
  }

  async close(): Promise<void> {
    await this.kill()
    await Promise.all(this.links.map((link) => link.close()))
  }

  #order(order: WorkerOrder): void {
    if (this.isRunning && this.#child?.connected === true) this.#child.send(order, () => {})
  }
}
