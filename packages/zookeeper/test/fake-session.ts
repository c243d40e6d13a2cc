import { openZooKeeper, type ZooKeeper, type ZooKeeperOptions } from '../src/index.ts'
import { type FakePeer, type FakeServer, startFakeServer } from './fake-server.ts'

export interface FakeSession {
  readonly server: FakeServer
  readonly peer: FakePeer
  readonly zookeeper: ZooKeeper
  /** Every state that was told, in order. */
  readonly states: string[]
}

const opened: { zookeeper: ZooKeeper; server: FakeServer }[] = []

/** A client whose first connection a fake server has taken and not greeted yet. */
export async function openAgainstFake(options: Partial<ZooKeeperOptions> = {}): Promise<FakeSession> {
  const server = await startFakeServer()
  const zookeeper = openZooKeeper({ servers: server.address, sessionTimeoutMs: 3_000, ...options })
  opened.push({ zookeeper, server })
  const states: string[] = []
  zookeeper.onChange(({ state }) => void states.push(state))
  return { server, zookeeper, states, peer: await server.accept() }
}

export async function connectToFake(options: Partial<ZooKeeperOptions> = {}): Promise<FakeSession> {
  const session = await openAgainstFake(options)
  session.peer.greet()
  await session.zookeeper.whenConnected()
  return session
}

/** Ends what the test has opened, whether it answers or not. */
export async function closeFakes(): Promise<void> {
  for (const { zookeeper, server } of opened.splice(0)) {
    const closed = zookeeper.close()
    await server.close()
    await closed
  }
}

/** How it ended: `done`, or the code and outcome of its error. */
export function endOf(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'done',
    (error: { code: string; outcome: string }) => `${error.code} ${error.outcome}`,
  )
}
