import { isZooKeeperError } from '../errors.ts'
import type { WatchListener } from '../watches.ts'
import type { AskPatience } from './ask-patience.ts'
import type { LockSession } from './lock-session.ts'
import { mayPass, unavailable } from './to-lockstep-error.ts'

const readTriesMax = 10

/** A read changes nothing, so one that is not answered is asked again. */
export async function readAgain<Result>(
  session: LockSession,
  patience: AskPatience,
  read: (timeoutMs: number) => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    patience.check()
    try {
      return await read(patience.requestMs(session.ttlMs))
    } catch (error) {
      if (!mayPass(error) || session.isOver || tries >= readTriesMax || (tries > 1 && patience.isOver)) throw error
    }
  }
}

export type Woken = 'changed' | 'missing' | 'over'

export interface Watching {
  readonly session: LockSession
  readonly patience: AskPatience
  readonly path: string
  /**
   * Reads what is watched. Never `exists`: its watch on a missing node would stay. When it answers false, nothing need be waited for.
   */
  read(watch: WatchListener, timeoutMs: number): Promise<boolean>
}

/** Waits for the next change of what it reads, or for the end of the session. Its watch is gone afterwards, also after an abort. */
export async function nextChange({ session, patience, path, read }: Watching): Promise<Woken> {
  const change = Promise.withResolvers<'changed'>()
  const listener: WatchListener = () => change.resolve('changed')
  const reading = readAgain(session, patience, (timeoutMs) => read(listener, timeoutMs))
  try {
    if (!(await patience.unlessAborted(reading))) return 'changed'
    const woken = await patience.unlessTimeIsUp(change.promise)
    if (woken === 'over' && !session.isConnected) throw unavailable('There is no connection to ZooKeeper.')
    return woken
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return 'missing'
    throw error
  } finally {
    // A read that is still on its way would set the watch later.
    void reading.catch(() => {}).then(() => session.zookeeper.unwatch(path, listener))
  }
}
