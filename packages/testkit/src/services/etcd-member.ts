import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type ServiceProcess, startServiceProcess } from './service-process.ts'

export interface EtcdMember {
  readonly id: number
  /** `http://host:port` for clients. */
  readonly endpoint: string
  /** False also while there is no leader that it could follow. */
  isHealthy(): Promise<boolean>
  isLeader(): Promise<boolean>
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Resolves when it stands still: its sockets stay open and nothing answers. */
  pause(): Promise<void>
  resume(): void
  /** Starts it again on the same ports and data, and waits until it serves. */
  restart(): Promise<void>
  log(): string
}

export interface EtcdMemberPlan {
  readonly id: number
  readonly directory: string
  readonly program: string
  readonly clientPort: number
  readonly peerPort: number
  /** `member-1=http://…` of all, with commas. */
  readonly cluster: string
  readonly options: readonly string[]
}

export interface StartedEtcdMember extends EtcdMember {
  ready(): Promise<void>
}

const restartTriesMax = 5

export function startEtcdMember(plan: EtcdMemberPlan): StartedEtcdMember {
  const endpoint = `http://127.0.0.1:${plan.clientPort}`
  let server = startServer(plan)
  const signal = (name: NodeJS.Signals): void => {
    if (server.isRunning()) process.kill(-server.pid, name)
  }
  const isHealthy = async () => (await ask(`${endpoint}/health`, 'GET'))['health'] === 'true'
  const ready = () => server.ready(isHealthy)
  return {
    id: plan.id,
    endpoint,
    isHealthy,
    ready,
    async isLeader() {
      const { header, leader } = await ask(`${endpoint}/v3/maintenance/status`, 'POST')
      return leader !== undefined && Object(header)['member_id'] === leader
    },
    kill: (name = 'SIGKILL') => server.kill(name),
    async pause() {
      signal('SIGSTOP')
      while (server.isRunning() && !isStopped(server.pid)) await pause(1)
    },
    resume: () => signal('SIGCONT'),
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

/** Finds etcd in LOCKSTEP_TEST_ETCD or on the PATH. */
export function etcdProgram(): string | null {
  const given = process.env['LOCKSTEP_TEST_ETCD'] || undefined
  const places = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'etcd'))
  return [...(given === undefined ? [] : [given]), ...places].find(isExecutable) ?? null
}

function startServer(plan: EtcdMemberPlan): ServiceProcess {
  const { id, directory, program, clientPort, peerPort, cluster, options } = plan
  const client = `http://127.0.0.1:${clientPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  const settings = {
    name: `member-${id}`,
    'data-dir': join(directory, 'data'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': cluster,
    'initial-cluster-state': 'new',
    'initial-cluster-token': 'lockstep',
    'heartbeat-interval': '50',
    'election-timeout': '500',
    logger: 'zap',
    'log-level': 'warn',
  }
  const args = [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...options]
  return startServiceProcess({ name: 'etcd', command: program, args, directory })
}

/** Empty when nobody answers. */
async function ask(url: string, method: 'GET' | 'POST'): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body = method === 'POST' ? { body: '{}' } : {}
    const answer = await fetch(url, { method, ...body, signal: AbortSignal.timeout(1_000) })
    return Object(await answer.json())
  } catch {
    return {}
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
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
