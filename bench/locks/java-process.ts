/** A Java program of bench/peers/java. A question is a line of words, an answer a line of numbers; times are those of `machineMs`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { cpuMs } from '../measuring/process-use.ts'
import type { Account, Grant } from './history.ts'
import type { Ways } from './locker.ts'
import type { LockProcess } from './measured-process.ts'
import { javaClassPath, javaProgram } from './peers.ts'
import type { ContestOptions, CyclesOptions } from './work.ts'

const numbersPerGrant = 4

export async function startJava(program: string, { ports }: Ways): Promise<LockProcess> {
  const flags = ['-Xmx384m', '-XX:+UseSerialGC', '-cp', javaClassPath]
  const child = spawn('java', [...flags, javaProgram(program), String(ports[0])], { stdio: ['pipe', 'pipe', 'ignore'] })
  child.on('error', () => {})
  const pid = child.pid ?? 0
  const ask = asking(child, program)
  await ask('hello')
  const unsupported = async (): Promise<never> => {
    throw new Error(`${program} does not do that.`)
  }
  return {
    pid,
    async cycles({ name, inFlight, seconds }: CyclesOptions) {
      const before = cpuMs([pid])
      const [cycles = 0, took = 1] = await ask(`cycles ${name} ${inFlight} ${seconds * 1_000}`)
      return { cycles, seconds: took / 1_000, cpuMs: cpuMs([pid]) - before }
    },
    async contest(options: ContestOptions) {
      const { name, waiters, firstWaiter, holdMs, startAtMs, seconds, turns } = options
      const words = ['contest', name, waiters, firstWaiter, holdMs, startAtMs, seconds * 1_000, turns]
      return accountOf(await ask(words.join(' ')))
    },
    keep: unsupported,
    rest: unsupported,
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await exited
    },
  }
}

function asking(child: ChildProcess, program: string): (line: string) => Promise<number[]> {
  if (child.stdin === null || child.stdout === null) throw new Error(`${program} cannot be talked to.`)
  const { stdin } = child
  const lines = createInterface({ input: child.stdout })
  return (line) =>
    new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`${program} ended before it answered.`))
      child.once('exit', onExit)
      lines.once('line', (answer) => {
        child.off('exit', onExit)
        resolve(
          answer
            .split(' ')
            .filter((word) => word !== '')
            .map(Number),
        )
      })
      stdin.write(`${line}\n`)
    })
}

/** The end, how many wait, since when each of them, and then the grants. */
function accountOf([endedMs = 0, waiting = 0, ...rest]: readonly number[]): Account {
  const numbers = rest.slice(waiting)
  const grants = Array.from({ length: Math.floor(numbers.length / numbersPerGrant) }, (_, index): Grant => {
    const [waiter = 0, askedMs = 0, acquiredMs = 0, releasedMs = 0] = numbers.slice(index * numbersPerGrant)
    return { waiter, askedMs, acquiredMs, releasedMs, token: null }
  })
  return { grants, waitingSinceMs: rest.slice(0, waiting), endedMs }
}
