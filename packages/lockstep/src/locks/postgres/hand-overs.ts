import type { PgKeptClientHandle, PgPoolHandle } from '../../ports/index.ts'

export interface LockPool extends PgPoolHandle<PgKeptClientHandle> {
  on?(event: 'connect' | 'acquire', listener: (client: PgKeptClientHandle) => void): unknown
}

const known = new WeakSet<LockPool>()
const heard = (): void => {}

/**
 * One message of the server can make a connection free, and the next one of the same chunk end it: the pool has handed it over and listens no
 * more, whoever asked for it has not been given it yet, and an error that nobody hears would end the process. So it is listened to for the
 * turn in which it is handed over; whoever gets it listens from the same turn on, and the user's connections keep no listener of ours.
 */
export function hearHandOvers(pool: LockPool): void {
  if (known.has(pool)) return
  known.add(pool)
  pool.on?.('acquire', (client) => {
    client.on('error', heard)
    void Promise.resolve().then(() => client.removeListener('error', heard))
  })
}
