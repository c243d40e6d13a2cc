/** Processes of an example: a coordinator and services of its own, each of which may be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a script of an example; what it prints is shown. */
export function start(script: string, args: readonly string[]): ChildProcess {
  return node([...process.execArgv, join(root, 'examples', script), ...args], 'inherit')
}

/** `lockstep serve` on this port, with an SQLite store in this folder. */
export function startCoordinator(port: number, folder: string, servicesFile: string): ChildProcess {
  const store = `sqlite:${join(folder, 'lockstep.db')}`
  const bin = join(root, 'packages/server/bin/lockstep.js')
  return node([bin, 'serve', '--port', String(port), '--store', store, '--services', servicesFile], 'ignore')
}

function node(args: readonly string[], output: 'inherit' | 'ignore'): ChildProcess {
  const quiet = '--disable-warning=ExperimentalWarning'
  const child = spawn(process.execPath, [quiet, ...args], { stdio: ['ignore', output, 'inherit'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** The exit code, or the signal that ended it. */
export async function ended(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

export async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await ended(child)
}

/** Until it answers at all: what it answers does not matter. */
export async function answers(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(url).catch(() => null)
    if (answer !== null) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} does not answer.`)
}
