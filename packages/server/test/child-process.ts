import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const main = join(import.meta.dirname, '../src/main.ts')

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  stdout(): string
}

export interface SpawnOptions {
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Put before the command, for limits of the operating system. */
  readonly shell?: string
}

/** The `lockstep` command as a process of its own, without any setting of the machine that runs the tests. */
export function startCommand(args: readonly string[], options: SpawnOptions = {}): Running {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('LOCKSTEP_') && !name.startsWith('VITEST'),
  )
  const env = { ...Object.fromEntries(own), NODE_OPTIONS: '', ...options.environment }
  const command = [
    process.execPath,
    '--conditions=lockstep-source',
    '--disable-warning=ExperimentalWarning',
    main,
    ...args,
  ]
  const shell =
    options.shell === undefined ? command : ['/bin/bash', '-c', `${options.shell}; exec "$0" "$@"`, ...command]
  const [file = '', ...rest] = shell
  const child = spawn(file, rest, { env, cwd: options.cwd ?? tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, finished, stdout: () => stdout }
}

export function runCommand(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return startCommand(args, options).finished
}

export interface ServedProcess extends Running {
  readonly url: string
}

/** `lockstep serve`, ready to be asked. */
export async function startServe(args: readonly string[], options: SpawnOptions = {}): Promise<ServedProcess> {
  const running = startCommand(
    ['serve', '--json', ...(args.includes('--port') ? [] : ['--port', '0']), ...args],
    options,
  )
  const url = await new Promise<string>((resolve, reject) => {
    running.child.stdout?.on('data', () => {
      const line = running
        .stdout()
        .split('\n')
        .find((each) => each.includes('"listening"') && each.endsWith('}'))
      if (line !== undefined) resolve((JSON.parse(line) as { url: string }).url)
    })
    void running.finished.then(({ code, stderr }) => reject(new Error(`serve ended with ${code}: ${stderr}`)))
  })
  return { ...running, url }
}

/** A folder of its own and everything that was started in it, cleaned away together. */
export function workPlace() {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-child-'))
  const started: ServedProcess[] = []
  return {
    folder,
    store: `sqlite:${join(folder, 'store.db')}`,
    async serve(args: readonly string[], options: SpawnOptions = {}): Promise<ServedProcess> {
      const served = await startServe(args, { cwd: folder, ...options })
      started.push(served)
      return served
    },
    async clear(): Promise<void> {
      for (const { child } of started) child.kill('SIGKILL')
      await Promise.all(started.map((one) => one.finished))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
