/**
 * One connection that listens for releases, open while somebody waits. Behind a pooler there is no such thing: LISTEN would be said to
 * whichever connection is free just then. It is then done without, and polling does alone.
 */
import { messageOf } from '../../errors.ts'
import type { LockEnvironment, PgKeptClientHandle, Timer } from '../../ports/index.ts'
import type { Notices } from './notices.ts'
import type { Statements } from './statements.ts'
import { releasedChannel } from './tables.ts'

interface ListenerParts {
  readonly statements: Statements
  readonly notices: Notices
  readonly environment: LockEnvironment
  readonly timeoutMs: number
}

const againMs = 1_000
const lingerMs = 5_000

export class Listener {
  readonly #parts: ListenerParts
  #client: PgKeptClientHandle | null = null
  #state: 'idle' | 'opening' | 'open' | 'impossible' = 'idle'
  #timer: Timer | null = null
  #stop: () => void = () => {}
  #isClosed = false

  constructor(parts: ListenerParts) {
    this.#parts = parts
  }

  /** Releases are heard of: polling is the net only. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Somebody waits. It never fails: without it polling does. */
  need(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#state === 'idle' && !this.#isClosed) void this.#open()
  }

  /** Somebody waits no longer. */
  rest(): void {
    if (this.#parts.notices.isWaitedFor || this.#state !== 'open') return
    this.#timer?.cancel()
    this.#timer = this.#parts.environment.timers.after(lingerMs, () => this.#end(false))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#end(true)
  }

  async #open(): Promise<void> {
    const { statements, notices, timeoutMs, environment } = this.#parts
    this.#state = 'opening'
    try {
      const client = await statements.keep(timeoutMs)
      this.#attach(client)
      const { rows } = await client.query('select pg_backend_pid() as pid')
      const isDirect = Number(rows[0]?.['pid']) === client.processID
      if (!isDirect) this.#end(false, 'impossible')
      else {
        await client.query(`listen ${releasedChannel}`)
        if (this.#client === client) this.#state = 'open'
        notices.tellAll()
      }
    } catch (error) {
      environment.log.debug({ error: messageOf(error) }, 'Releases of locks are not listened for; they are polled.')
      this.#fail()
    }
    if (this.#isClosed) this.#end(true)
  }

  #attach(client: PgKeptClientHandle): void {
    this.#client = client
    const notified = ({ payload }: { payload?: string | undefined }): void => this.#parts.notices.tell(payload ?? '')
    const failed = (): void => {
      if (this.#client === client) this.#fail()
    }
    client.on('notification', notified)
    client.on('error', failed)
    client.on('end', failed)
    this.#stop = () => {
      client.removeListener('notification', notified)
      client.removeListener('end', failed)
    }
  }

  /** Tried again while somebody waits. */
  #fail(): void {
    this.#end(true)
    if (this.#isClosed || !this.#parts.notices.isWaitedFor) return
    this.#timer?.cancel()
    this.#timer = this.#parts.environment.timers.after(againMs, () => this.need())
  }

  /** A connection that has listened goes on to, whoever gets it: it is closed, unless it never began. */
  #end(isBroken: boolean, state: 'idle' | 'impossible' = 'idle'): void {
    const client = this.#client
    const hasListened = this.#state === 'open'
    this.#client = null
    this.#state = state
    this.#stop()
    this.#stop = () => {}
    client?.release(isBroken || hasListened)
  }
}
