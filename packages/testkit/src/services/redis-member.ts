import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type ServiceProcess, startServiceProcess } from './service-process.ts'

export interface RedisMember {
  readonly port: number
  /** `redis://127.0.0.1:port`. */
  readonly url: string
  /** Sends one command without a client package, and answers what the server wrote; for single lines such as `CONFIG SET`. */
  ask(...command: string[]): Promise<string>
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Resolves when it stands still: its sockets stay open and nothing answers. */
  pause(): Promise<void>
  resume(): void
  /** Kills it if it runs, starts it again on the same port and data, and waits until it serves. */
  restart(): Promise<void>
  log(): string
}

export interface RedisPlan {
  readonly command: string
  readonly directory: string
  readonly port: number
  readonly settings: Readonly<Record<string, string | number>>
}

export interface StartedRedis extends RedisMember {
  ready(): Promise<void>
}

export function startRedisMember(plan: RedisPlan): StartedRedis {
  let server = startServer(plan)
  const signal = (name: NodeJS.Signals): void => {
    if (server.isRunning()) process.kill(-server.pid, name)
  }
  const ask = (...command: string[]): Promise<string> => askOnce(plan.port, command)
  const ready = (): Promise<void> => server.ready(async () => serves(plan, ask))
  return {
    port: plan.port,
    url: `redis://127.0.0.1:${plan.port}`,
    ask,
    ready,
    kill: (name = 'SIGKILL') => server.kill(name),
    async pause() {
      signal('SIGSTOP')
      while (server.isRunning() && !isStopped(server.pid)) await pause(1)
    },
    resume: () => signal('SIGCONT'),
    async restart() {
      await server.kill('SIGKILL')
      server = startServer(plan)
      await ready()
    },
    log: () => server.log(),
  }
}

function startServer({ command, directory, port, settings }: RedisPlan): ServiceProcess {
  mkdirSync(directory, { recursive: true })
  const lines = { port, bind: '127.0.0.1', dir: directory, daemonize: 'no', save: '', ...settings }
  const args = Object.entries(lines).flatMap(([name, value]) => [`--${name}`, String(value)])
  return startServiceProcess({ name: 'redis', command, args, directory })
}

/** With a password set, a server that refuses us serves as well. */
async function serves({ settings }: RedisPlan, ask: RedisMember['ask']): Promise<boolean> {
  if (settings['requirepass'] !== undefined) return (await ask('PING')).startsWith('-NOAUTH')
  return (await ask('PING')) === '+PONG\r\n' && (await ask('INFO', 'persistence')).includes('loading:0')
}

function askOnce(port: number, command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const words = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      socket.write(`*${command.length}\r\n${words.join('')}*1\r\n$4\r\nQUIT\r\n`)
    })
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('close', () => resolve(answer.replace(/\+OK\r\n$/, '')))
    socket.on('error', reject)
    socket.setTimeout(1_000, () => socket.destroy())
  })
}

/** A signal stops the threads of a process one after the other, and the last ones may still answer somebody. */
function isStopped(pid: number): boolean {
  const stateOf = (stat: string): string => stat.charAt(stat.lastIndexOf(')') + 2)
  try {
    return readdirSync(`/proc/${pid}/task`).every(
      (thread) => stateOf(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')) === 'T',
    )
  } catch {
    // There is no /proc here, or a thread has ended meanwhile.
    return process.platform !== 'linux'
  }
}
