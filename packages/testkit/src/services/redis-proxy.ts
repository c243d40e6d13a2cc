import { connect, createServer, type Server, type Socket } from 'node:net'

export interface RedisProxy {
  readonly url: string
  /** From now on answers of the server are dropped, and what clients send still arrives. */
  dropAnswers(): void
  /** Drops messages of pub/sub alone; answers pass. */
  dropMessages(): void
  /** Nothing passes in either direction, and no end of a connection is told. */
  blackHole(): void
  passEverything(): void
  /** Ends every connection at once; new ones are taken. */
  cut(): void
  /** Resolves when the server has answered something that was dropped: it has applied what was sent. */
  dropped(): Promise<void>
  close(): Promise<void>
}

/** Stands between a client and a Redis, and loses what the server says after it was applied. */
export async function startRedisProxy(targetPort: number): Promise<RedisProxy> {
  const sockets = new Set<Socket>()
  let loses: 'nothing' | 'answers' | 'messages' | 'everything' = 'nothing'
  let tellDropped: (() => void)[] = []
  const isLost = (bytes: Buffer): boolean => {
    if (loses === 'nothing') return false
    return loses !== 'messages' || /(?:\*|>)3\r\n\$7\r\nmessage\r\n/.test(bytes.toString('latin1'))
  }
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes: Buffer) => {
        const passes = from === client ? loses !== 'everything' : !isLost(bytes)
        if (passes) return void to.write(bytes)
        for (const tell of tellDropped.splice(0)) tell()
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const port = await listening(server)
  return {
    url: `redis://127.0.0.1:${port}`,
    dropAnswers() {
      loses = 'answers'
    },
    dropMessages() {
      loses = 'messages'
    },
    blackHole() {
      loses = 'everything'
    },
    passEverything() {
      loses = 'nothing'
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    dropped: () => new Promise((resolve) => tellDropped.push(resolve)),
    close() {
      tellDropped = []
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}
