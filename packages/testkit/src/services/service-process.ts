import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** A real service as a child process, in a process group of its own, with its output in a file. */
export interface ServiceProcess {
  readonly pid: number
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
  isRunning(): boolean
  log(): string
  /** Asks `check` until it answers true. Fails at once, with the end of the log, when the process has exited. */
  ready(check: () => Promise<boolean>, limitMs?: number): Promise<void>
  /** SIGKILL reaches every descendant, also those that left the process group. */
  kill(signal: NodeJS.Signals): Promise<void>
}

export interface ServiceCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly directory: string
  readonly environment?: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid: number }
}

const live = new Set<number>()
let watchesExit = false

export function startServiceProcess(service: ServiceCommand): ServiceProcess {
  killLeftoversOnExit()
  const logFile = join(service.directory, `${service.name}.log`)
  const child = spawnIntoFile(service, logFile)
  const { pid } = child
  if (pid === undefined) throw new Error(`${service.command} cannot be started.`)
  live.add(pid)
  let running = true
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running = false
      live.delete(pid)
      resolve()
    })
  })
  const log = (): string => readFileSync(logFile, 'utf8')
  return {
    pid,
    exited,
    log,
    isRunning: () => running,
    ready: (check, limitMs = 60_000) =>
      waitUntilReady({ name: service.name, isRunning: () => running, log, check, limitMs }),
    async kill(signal) {
      if (!running) return
      child.ref()
      const signalled = signalTree(pid, signal)
      await exited
      // A backend that is still dying holds the shared memory, and the next start would be refused.
      while (signalled.some(isAlive)) await pause(5)
    },
  }
}

function spawnIntoFile(service: ServiceCommand, logFile: string): ChildProcess {
  const output = openSync(logFile, 'a')
  try {
    const child = spawn(service.command, [...service.args], {
      cwd: service.directory,
      env: { ...process.env, ...service.environment },
      stdio: ['ignore', output, output],
      detached: true,
      ...service.user,
    })
    child.on('error', () => {})
    child.unref()
    return child
  } finally {
    closeSync(output)
  }
}

async function waitUntilReady(options: {
  name: string
  isRunning: () => boolean
  log: () => string
  check: () => Promise<boolean>
  limitMs: number
}): Promise<void> {
  const until = Date.now() + options.limitMs
  let last: unknown
  while (Date.now() < until) {
    if (!options.isRunning()) throw new Error(`${options.name} exited at its start:\n${options.log().slice(-2000)}`)
    try {
      if (await options.check()) return
    } catch (error) {
      last = error
    }
    await pause(25)
  }
  throw new Error(
    `${options.name} was not ready in ${options.limitMs} ms: ${String(last)}\n${options.log().slice(-2000)}`,
  )
}

/** Answers the processes besides `pid` that were signalled. */
function signalTree(pid: number, signal: NodeJS.Signals): readonly number[] {
  if (signal !== 'SIGKILL') {
    trySignal(-pid, signal)
    return []
  }
  // Stopped first, so that it starts no child behind our back; and PostgreSQL's backends call setsid, so that a signal
  // to the group would miss them.
  trySignal(pid, 'SIGSTOP')
  const others = descendantsOf(pid)
  for (const target of [-pid, ...others]) trySignal(target, signal)
  return others
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z'
  } catch {
    return false
  }
}

function trySignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal)
  } catch {
    // It is gone already.
  }
}

/** All processes below `pid`, from /proc; none where there is no /proc. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const [child, parent] of processTable()) children.set(parent, [...(children.get(parent) ?? []), child])
  const found: number[] = []
  const queue = [pid]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const below = children.get(next) ?? []
    found.push(...below)
    queue.push(...below)
  }
  return found
}

function processTable(): [pid: number, parent: number][] {
  return readProcessIds().flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return [[pid, parent] as [number, number]]
    } catch {
      return []
    }
  })
}

function readProcessIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** A test runner that dies must not leave databases behind. */
function killLeftoversOnExit(): void {
  if (watchesExit) return
  watchesExit = true
  process.on('exit', () => {
    for (const pid of live) signalTree(pid, 'SIGKILL')
  })
  // Not `once`: a second signal, as from a terminal and a parent at once, would end the process in the middle of this.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))
}

/** Free ports, all different: they are held open together before any is given back. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
