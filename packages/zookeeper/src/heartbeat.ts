import type { Timer } from 'lockstep/ports'
import type { ClientEnvironment } from './environment.ts'

export interface HeartbeatOptions {
  readonly environment: ClientEnvironment
  readonly sessionTimeoutMs: number
  /** When the leader was last asked for something, whatever it was. */
  askedAtMs(): number
  /** When it last answered. */
  answeredAtMs(): number
  beat(): void
  /** The leader has not answered for half of the session timeout. */
  silent(): void
}

/**
 * Asks the leader when nothing else has for a sixth of the session timeout. Half of it without an answer ends the connection: enough is
 * left for finding another server before the proof of the session runs out.
 */
export function startHeartbeat(options: HeartbeatOptions): Timer {
  const { clock, timers } = options.environment
  const beatAfterMs = options.sessionTimeoutMs / 6
  const silentAfterMs = options.sessionTimeoutMs / 2
  let dueAtMs = clock.monotonicMs()
  let wasSpared = false
  let timer: Timer

  const tick = (): void => {
    const nowMs = clock.monotonicMs()
    const isSilent = nowMs - options.answeredAtMs() >= silentAfterMs
    // After a stall of this process the answers may lie unread in the socket: they get one turn to be heard.
    const isSpared = isSilent && !wasSpared && nowMs - dueAtMs >= beatAfterMs
    if (isSilent && !isSpared) {
      options.silent()
      return
    }
    wasSpared = isSpared
    if (nowMs - options.askedAtMs() >= beatAfterMs) options.beat()
    const nextAtMs = Math.min(options.askedAtMs() + beatAfterMs, options.answeredAtMs() + silentAfterMs)
    tickAt(isSpared ? nowMs + beatAfterMs / 2 : nextAtMs)
  }
  const tickAt = (atMs: number): void => {
    const nowMs = clock.monotonicMs()
    dueAtMs = Math.max(atMs, nowMs + 1)
    timer = timers.after(dueAtMs - nowMs, tick)
  }

  tickAt(dueAtMs + beatAfterMs)
  return { cancel: () => timer.cancel() }
}
