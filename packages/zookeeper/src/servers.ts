import type { Random } from 'lockstep/ports'
import { ZooKeeperError } from './errors.ts'

export interface Server {
  readonly host: string
  readonly port: number
}

const usualPort = 2181

/** `host`, `host:port` or `[v6]:port`, several with commas. */
export function parseServers(given: string | readonly string[]): Server[] {
  const texts = typeof given === 'string' ? given.split(',') : given
  const servers = texts.map((text) => parseServer(text.trim()))
  if (servers.length > 0) return servers
  throw new ZooKeeperError('BAD_ARGUMENTS', { why: 'no server is named' })
}

function parseServer(text: string): Server {
  const match = text.match(/^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/\s]+))(?::(?<port>\d+))?$/)
  const { v6, host = v6, port = usualPort } = match?.groups ?? {}
  if (host !== undefined && Number(port) > 0 && Number(port) < 65_536) return { host, port: Number(port) }
  throw new ZooKeeperError('BAD_ARGUMENTS', { why: `"${text}" is no server: host:port` })
}

export function serverName({ host, port }: Server): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export interface NextServer {
  readonly server: Server
  readonly afterMs: number
  /** How often all of them have failed in a row. */
  readonly round: number
}

const firstDelayMs = 50

/**
 * In which order servers are tried: shuffled once, so that clients spread, then round and round. Within a round each is tried at once,
 * for a session is running out; between rounds there is a pause that grows, since nobody was there.
 */
export class ServerRotation {
  readonly #servers: readonly Server[]
  readonly #delayMaxMs: number
  readonly #random: Pick<Random, 'fraction'>
  #position = 0
  #tries = 0

  constructor(servers: readonly Server[], sessionTimeoutMs: number, random: Pick<Random, 'fraction'>) {
    this.#servers = shuffled(servers, random)
    this.#delayMaxMs = Math.min(1_000, Math.max(firstDelayMs, sessionTimeoutMs / 10))
    this.#random = random
  }

  next(): NextServer {
    const server = this.#servers[this.#position % this.#servers.length]
    if (server === undefined) throw new ZooKeeperError('BAD_ARGUMENTS', { why: 'no server is named' })
    const round = Math.floor(this.#tries / this.#servers.length)
    const beginsRound = round > 0 && this.#tries % this.#servers.length === 0
    this.#position += 1
    this.#tries += 1
    return { server, afterMs: beginsRound ? this.#delayMs(round) : 0, round }
  }

  /** A connection has held: the next loss begins a new round, at once. */
  hasHeld(): void {
    this.#tries = 0
  }

  #delayMs(rounds: number): number {
    const boundMs = Math.min(this.#delayMaxMs, firstDelayMs * 2 ** (rounds - 1))
    return boundMs * (0.5 + this.#random.fraction('zookeeper.reconnect') / 2)
  }
}

function shuffled(servers: readonly Server[], random: Pick<Random, 'fraction'>): Server[] {
  return servers
    .map((server) => ({ server, rank: random.fraction('zookeeper.servers') }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ server }) => server)
}
