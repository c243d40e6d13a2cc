import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * The way from one worker to one server. Whatever is told to happen happens to the connections that are open and, until `heal`, to new
 * ones; a half-open connection alone leaves the way free for new ones.
 */
export interface Link {
  readonly port: number
  /** Breaks what is open, and refuses what is new. */
  cut(): void
  /** Nothing passes, and nobody is told. */
  blackHole(): void
  /** What is sent arrives and is applied; what is answered is lost. */
  dropAnswers(): void
  /** The server's ends are closed, and the worker is not told. New connections pass. */
  halfOpen(): void
  /** Breaks what is open; new connections pass. */
  heal(): void
  /** Leads to another server from now on. */
  leadTo(port: number): void
  close(): Promise<void>
}

type Condition = 'open' | 'cut' | 'black-hole' | 'no-answers'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  condition: Condition
}

export async function startLink(targetPort: number): Promise<Link> {
  const pairs = new Set<Pair>()
  let target = targetPort
  let condition: Condition = 'open'
  const become = (next: Condition): void => {
    condition = next
    for (const pair of pairs) pair.condition = next
    if (next === 'open' || next === 'cut') for (const { client, server } of pairs) destroyBoth(client, server)
  }
  const listener = createServer((client) => {
    if (condition === 'cut') return void client.destroy()
    const pair: Pair = { client, server: connect(target, '127.0.0.1'), condition }
    pairs.add(pair)
    forward(pair, () => pairs.delete(pair))
  })
  return {
    port: await listening(listener),
    cut: () => become('cut'),
    blackHole: () => become('black-hole'),
    dropAnswers: () => become('no-answers'),
    halfOpen() {
      for (const pair of pairs) {
        pair.condition = 'black-hole'
        pair.server.destroy()
      }
    },
    heal: () => become('open'),
    leadTo(port) {
      target = port
      become('open')
    },
    async close() {
      become('cut')
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function forward(pair: Pair, forget: () => void): void {
  const { client, server } = pair
  client.on('data', (bytes) => pair.condition === 'black-hole' || server.write(bytes))
  server.on('data', (bytes) => pair.condition !== 'open' || client.write(bytes))
  for (const socket of [client, server]) {
    socket.setNoDelay(true)
    socket.on('error', () => {})
  }
  client.on('close', () => {
    forget()
    server.destroy()
  })
  // Whoever hears nothing does not hear of an end either.
  server.on('close', () => pair.condition === 'open' && client.destroy())
}

function destroyBoth(client: Socket, server: Socket): void {
  client.destroy()
  server.destroy()
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
