import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between a client and a server, and does to their connections what networks do. */
export interface TcpProxy {
  readonly port: number
  /** Breaks every connection, and refuses new ones. */
  cut(): void
  /** Nothing passes in either direction, and nobody is told: bytes are read and forgotten until `heal`, which breaks what is open. */
  blackHole(): void
  /** What the client sends arrives, what the server answers does not; until `heal`, which breaks what is open. */
  dropAnswers(): void
  /** New connections pass again. */
  heal(): void
  close(): Promise<void>
}

type Condition = 'open' | 'cut' | 'black-hole' | 'no-answers'

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

export async function startTcpProxy(target: { readonly host?: string; readonly port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let condition: Condition = 'open'
  const breakAll = (): void => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  const listener = createServer((client) => {
    if (condition === 'cut') return void client.destroy()
    const server = connect(target.port, target.host ?? '127.0.0.1')
    const pair = { client, server }
    pairs.add(pair)
    client.on('data', (chunk) => condition === 'black-hole' || server.write(chunk))
    server.on('data', (chunk) => condition !== 'open' || client.write(chunk))
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.setNoDelay(true)
      one.on('error', () => {})
      one.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: portOf(listener),
    cut() {
      condition = 'cut'
      breakAll()
    },
    blackHole() {
      condition = 'black-hole'
    },
    dropAnswers() {
      condition = 'no-answers'
    },
    heal() {
      condition = 'open'
      breakAll()
    },
    async close() {
      condition = 'cut'
      breakAll()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function portOf(listener: Server): number {
  const address = listener.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
