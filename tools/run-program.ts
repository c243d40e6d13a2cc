import { type ChildProcess, spawn } from 'node:child_process'
import { type Command, root } from './programs.ts'

export interface RunOptions {
  /** `show` passes the output on as it comes and keeps its end; `keep` only keeps it. */
  readonly output: 'show' | 'keep'
  readonly limitMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** Rewrites a line before it is shown. */
  readonly line?: (line: string) => string
}

export interface RunResult {
  readonly code: number
  readonly output: string
  readonly overran: boolean
  readonly durationMs: number
}

const outputCharactersMax = 200_000
const signals = [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const
/** A service that the program left behind may hold its pipes open for ever: after this time nobody listens any more. */
const pipeGraceMs = 2_000
const running = new Set<ChildProcess>()
let ending = false

/**
 * Runs one program to its end. It gets a process group of its own, so that a limit or Ctrl-C ends what it started as
 * well: a service left behind by a killed test would hold its port for the next run.
 */
export function runProgram(command: Command, options: RunOptions): Promise<RunResult> {
  const startedMs = Date.now()
  const child = spawn(command.file, command.args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  running.add(child)
  const collected = collect(child, options)
  let overran = false
  const limit = setTimeout(
    () => {
      overran = true
      void endGroup(child)
    },
    options.limitMs ?? 2 ** 31 - 1,
  )
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', () => setTimeout(() => closePipes(child), pipeGraceMs).unref())
    child.on('close', (code) => {
      clearTimeout(limit)
      running.delete(child)
      // The process is about to exit: whoever waits must not go on to the next step or to a verdict.
      if (ending) return
      const durationMs = Date.now() - startedMs
      resolve({ code: overran ? 1 : (code ?? 1), output: collected.end(), overran, durationMs })
    })
  })
}

/** From here on a signal ends every running program before this process ends with the usual code 128 + signal. */
export function endChildrenOnSignal(): void {
  for (const [signal, number] of signals) {
    process.on(signal, () => {
      if (ending) return
      ending = true
      void Promise.all([...running].map(endGroup)).then(() => process.exit(128 + number))
    })
  }
}

/** Asks first: a launcher of services stops them on SIGTERM. What is still there after the grace is killed. */
async function endGroup(child: ChildProcess): Promise<void> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  signalGroup(child, 'SIGTERM')
  const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), 3_000)
  await closed
  clearTimeout(kill)
}

function closePipes(child: ChildProcess): void {
  child.stdout?.destroy()
  child.stderr?.destroy()
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group has ended on its own.
  }
}

function collect(child: ChildProcess, options: RunOptions): { end(): string } {
  let output = ''
  let partial = ''
  const show = (text: string) => {
    if (options.output === 'show') process.stdout.write(text)
  }
  const take = (chunk: Buffer | string) => {
    const text = String(chunk)
    output = (output + text).slice(-outputCharactersMax)
    const lines = (partial + text).split('\n')
    partial = lines.pop() ?? ''
    for (const line of lines) show(`${options.line?.(line) ?? line}\n`)
  }
  child.stdout?.setEncoding('utf8').on('data', take)
  child.stderr?.setEncoding('utf8').on('data', take)
  return {
    end: () => {
      if (partial !== '') show(`${options.line?.(partial) ?? partial}\n`)
      return output
    },
  }
}
