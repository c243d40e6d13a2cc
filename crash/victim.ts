/** A process under fire, from source and with fail points armed. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ServiceProcess, startServiceProcess } from '@lockstep/testkit'

const fromSource = [
  '--conditions=lockstep-source',
  '--conditions=lockstep-test',
  '--disable-warning=ExperimentalWarning',
]

export interface VictimParts {
  readonly name: string
  readonly url: string
  readonly args: readonly string[]
  readonly directory: string
  readonly readyPath: string
}

export class Victim {
  readonly name: string
  readonly url: string
  readonly #args: readonly string[]
  readonly #directory: string
  readonly #readyPath: string
  #process: ServiceProcess | null = null

  constructor(parts: VictimParts) {
    this.name = parts.name
    this.url = parts.url
    this.#args = parts.args
    this.#readyPath = parts.readyPath
    this.#directory = join(parts.directory, parts.name)
    mkdirSync(this.#directory, { recursive: true })
  }

  /** An armed process may die, or stop, before it is ready: that is what it is armed for. */
  async start(failpoints: string | null): Promise<void> {
    const environment = failpoints === null ? {} : { LOCKSTEP_FAILPOINTS: failpoints }
    const args = [...fromSource, ...this.#args]
    const started = startServiceProcess({
      name: this.name,
      command: process.execPath,
      args,
      directory: this.#directory,
      environment,
    })
    this.#process = started
    try {
      await started.ready(async () => this.isStopped || (await this.#answers()), 30_000)
    } catch (error) {
      if (failpoints === null || started.isRunning()) throw error
    }
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() ?? false
  }

  /** By SIGSTOP. Where there is no /proc nothing is known to be. */
  get isStopped(): boolean {
    if (this.#process === null || !this.#process.isRunning()) return false
    try {
      const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8')
      return stat.charAt(stat.lastIndexOf(')') + 2) === 'T'
    } catch {
      return false
    }
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#process === null || !this.#process.isRunning()) return
    if (name === 'SIGKILL' || name === 'SIGTERM') await this.#process.kill(name)
    else process.kill(this.#process.pid, name)
  }

  /** True when it died by itself within the time. */
  async diesWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(false), ms)
    void this.#process?.exited.then(() => resolve(true))
    const died = await promise
    clearTimeout(timer)
    return died
  }

  log(): string {
    return this.#process?.log().slice(-3_000) ?? ''
  }

  async #answers(): Promise<boolean> {
    const response = await fetch(this.url + this.#readyPath, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.status < 500
  }
}
