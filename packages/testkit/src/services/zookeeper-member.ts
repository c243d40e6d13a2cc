import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type ServiceProcess, startServiceProcess } from './service-process.ts'
import type { ZooKeeperPrograms } from './zookeeper-programs.ts'

export type ZooKeeperMode = 'leader' | 'follower' | 'standalone'

export interface ZooKeeperMember {
  readonly id: number
  /** `host:port` for clients. */
  readonly address: string
  /** What it says it is; null while it serves nobody, as in an election. */
  mode(): Promise<ZooKeeperMode | null>
  /** Asks one of the server's four-letter words, such as `wchs`; empty when nobody answers. */
  ask(word: string): Promise<string>
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Resolves when it stands still: its sockets stay open and nothing answers. */
  pause(): Promise<void>
  goOn(): void
  /** Starts it again on the same ports and data, and waits until it serves. */
  restart(): Promise<void>
  log(): string
}

export interface MemberPlan {
  readonly id: number
  readonly directory: string
  readonly programs: ZooKeeperPrograms
  readonly clientPort: number
  /** Lines `server.N=…` of an ensemble; none for a single server. */
  readonly peers: readonly string[]
  readonly settings: Readonly<Record<string, string | number>>
  readonly javaOptions: readonly string[]
  readonly fsync: boolean
}

const restartTriesMax = 5

export interface StartedMember extends ZooKeeperMember {
  ready(): Promise<void>
}

export function startMember(plan: MemberPlan): StartedMember {
  let server = startServer(plan)
  const signal = (name: NodeJS.Signals): void => {
    if (server.isRunning()) process.kill(-server.pid, name)
  }
  const mode = () => modeOf(plan.clientPort)
  const ready = () => server.ready(async () => (await mode()) !== null)
  return {
    id: plan.id,
    address: `127.0.0.1:${plan.clientPort}`,
    mode,
    ready,
    ask: (word) => fourLetterWord(plan.clientPort, word),
    kill: (name = 'SIGKILL') => server.kill(name),
    async pause() {
      signal('SIGSTOP')
      while (server.isRunning() && !isStopped(server.pid)) await pause(1)
    },
    goOn: () => signal('SIGCONT'),
    async restart() {
      await server.kill('SIGKILL')
      for (let triesLeft = restartTriesMax; ; triesLeft -= 1) {
        server = startServer(plan)
        // While it was down, somebody's outgoing connection may have been given its port for a moment.
        try {
          await ready()
          return
        } catch (error) {
          if (server.isRunning() || triesLeft <= 1) throw error
          await pause(200)
        }
      }
    },
    log: () => server.log(),
  }
}

function startServer(plan: MemberPlan): ServiceProcess {
  writeConfiguration(plan)
  const { programs, directory } = plan
  return startServiceProcess({ name: 'zookeeper', command: programs.java, args: javaArguments(plan), directory })
}

function writeConfiguration({ id, directory, clientPort, peers, settings }: MemberPlan): void {
  const data = join(directory, 'data')
  mkdirSync(data, { recursive: true })
  if (peers.length > 0) writeFileSync(join(data, 'myid'), String(id))
  const lines = {
    tickTime: 200,
    initLimit: 50,
    syncLimit: 25,
    dataDir: data,
    clientPort,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    maxClientCnxns: 0,
    minSessionTimeout: 400,
    maxSessionTimeout: 60_000,
    // In KiB; a log of 64 MiB per server would be usual.
    preAllocSize: 1024,
    ...settings,
  }
  const text = [...Object.entries(lines).map(([name, value]) => `${name}=${value}`), ...peers]
  writeFileSync(join(directory, 'zoo.cfg'), `${text.join('\n')}\n`)
}

function javaArguments({ directory, programs, javaOptions, fsync }: MemberPlan): string[] {
  return [
    '-Xms32m',
    '-Xmx128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dzookeeper.jmx.log4j.disable=true',
    '-Dzookeeper.electionPortBindRetry=100',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    `-Dzookeeper.forceSync=${fsync ? 'yes' : 'no'}`,
    ...javaOptions,
    '-cp',
    `${directory}:${programs.classPath}`,
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    join(directory, 'zoo.cfg'),
  ]
}

/** `ruok` would be answered before an ensemble has a leader. */
async function modeOf(port: number): Promise<ZooKeeperMode | null> {
  const found = /^Mode: (leader|follower|standalone)$/m.exec(await fourLetterWord(port, 'srvr'))
  return (found?.[1] as ZooKeeperMode | undefined) ?? null
}

function fourLetterWord(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(word))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', () => {})
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
