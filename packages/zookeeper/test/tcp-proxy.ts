import { connect, createServer, type Server, type Socket } from 'node:net'

export interface TcpProxy {
  readonly address: string
  /**
   * From now on bytes go nowhere, and no end of a connection is told: `everything`, or only what the server says. Nothing is lost: it
   * is kept back, as TCP would send it again.
   */
  blackHole(what: 'everything' | 'answers'): void
  /** What was kept back goes on, in order. */
  heal(): void
  /** Ends every connection at once; new ones are taken. */
  cut(): void
  close(): Promise<void>
}

type Hole = 'everything' | 'answers' | null

/** Stands between a client and a server, and fails as networks do. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let hole: Hole = null
  const kept: (() => void)[] = []
  const pass = (isAnswer: boolean, act: () => void): void => {
    if (hole === 'everything' || (hole === 'answers' && isAnswer)) kept.push(act)
    else act()
  }
  const forward = (from: Socket, to: Socket, isAnswer: boolean): void => {
    sockets.add(from)
    from.on('data', (bytes) => pass(isAnswer, () => to.write(bytes)))
    from.on('close', () => {
      sockets.delete(from)
      pass(isAnswer, () => to.destroy())
    })
    from.on('error', () => {})
  }
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    forward(client, upstream, false)
    forward(upstream, client, true)
  })
  return {
    address: await listening(server),
    blackHole(what) {
      hole = what
    },
    heal() {
      hole = null
      for (const act of kept.splice(0)) act()
    },
    cut,
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

export function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as { port: number }).port}`))
  })
}
