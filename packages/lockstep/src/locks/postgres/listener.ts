/**
 * One connection that listens for releases, open while somebody waits.
 *
 *   idle        nobody has waited for long, or it has ended. Moves: `need` → opening.
 *   opening     Moves: the server listens → open; no answer in time, an error or `close` → idle; a pooler is found → impossible.
 *   open        Moves: the connection ends, or answers no more → idle, and opened again while somebody waits; nobody waits → idle.
 *   impossible  final: behind a pooler LISTEN would be said to whichever connection is free just then. Polling does alone.
 */
import { messageOf } from '../../errors.ts'
import type { LockEnvironment, PgKeptClientHandle, Timer } from '../../ports/index.ts'
import type { Notices } from './notices.ts'
import type { Deadline, Statements } from './statements.ts'
import { releasedChannel } from './tables.ts'

interface ListenerParts {
  readonly statements: Statements
  readonly notices: Notices
  readonly environment: LockEnvironment
  readonly timeoutMs: number
}

const againMs = 1_000
const lingerMs = 5_000
/** A network forgets connections that say nothing for long, and tells neither side: who listens hears nothing, as before. */
const proofMs = 10_000

export class Listener {
  readonly #parts: ListenerParts
  #client: PgKeptClientHandle | null = null
  #state: 'idle' | 'opening' | 'open' | 'impossible' = 'idle'
  #timer: Timer | null = null
  #stop: () => void = () => {}
  /** Of what it is asking just now. */
  #deadline: Deadline | null = null
  #asking: Promise<void> | null = null
  #provenMs = 0
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
    if (this.#isClosed || this.#asking !== null) return
    if (this.#state === 'idle') this.#ask((deadline) => this.#open(deadline))
    else if (this.#state === 'open' && this.#nowMs - this.#provenMs >= proofMs)
      this.#ask((deadline) => this.#query('select 1', deadline))
  }

  /** Somebody waits no longer. */
  rest(): void {
    if (this.#parts.notices.isWaitedFor || this.#state !== 'open') return
    this.#timer?.cancel()
    this.#timer = this.#parts.environment.timers.after(lingerMs, () => this.#end({ isBroken: false }))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#deadline?.pass('the locks were closed')
    await this.#asking
    this.#end({ isBroken: true })
  }

  /** One thing at a time, so that no two connections are opened. What fails ends the connection. */
  #ask(work: (deadline: Deadline) => Promise<unknown>): void {
    const { statements, timeoutMs, environment } = this.#parts
    const deadline = statements.deadline(timeoutMs)
    this.#deadline = deadline
    this.#asking = work(deadline)
      .then(
        () => {
          this.#provenMs = this.#nowMs
        },
        (error) => {
          const reason = { error: messageOf(error) }
          environment.log.debug(reason, 'Releases of locks are not listened for; they are polled.')
          this.#fail()
        },
      )
      .finally(() => {
        deadline.cancel()
        this.#deadline = null
        this.#asking = null
      })
  }

  async #open(deadline: Deadline): Promise<void> {
    this.#state = 'opening'
    const client = await this.#parts.statements.connect(deadline.passed)
    this.#attach(client)
    const pid = (await this.#query('select pg_backend_pid() as pid', deadline))[0]?.['pid']
    if (Number(pid) !== client.processID) return this.#end({ isBroken: false, state: 'impossible' })
    await this.#query(`listen ${releasedChannel}`, deadline)
    this.#state = 'open'
    this.#parts.notices.tellAll()
    // Those who needed it may have gone meanwhile.
    this.rest()
  }

  async #query(text: string, { passed }: Deadline): Promise<readonly Record<string, unknown>[]> {
    const client = this.#client
    if (client === null) throw new Error('the connection has ended')
    return (await Promise.race([client.query(text), passed])).rows
  }

  #attach(client: PgKeptClientHandle): void {
    this.#client = client
    const notified = ({ payload }: { payload?: string | undefined }): void => this.#parts.notices.tell(payload ?? '')
    // While something is asked, its answer fails as well.
    const failed = (): void => {
      if (this.#client === client && this.#asking === null) this.#fail()
    }
    client.on('notification', notified)
    client.on('error', failed)
    client.on('end', failed)
    this.#stop = () => {
      client.removeListener('notification', notified)
      client.removeListener('error', failed)
      client.removeListener('end', failed)
    }
  }

  /** Tried again while somebody waits. */
  #fail(): void {
    this.#end({ isBroken: true })
    if (this.#isClosed || !this.#parts.notices.isWaitedFor) return
    this.#timer?.cancel()
    this.#timer = this.#parts.environment.timers.after(againMs, () => this.need())
  }

  /** A connection that has listened goes on to, whoever gets it: it is closed, unless it never began. */
  #end({ isBroken, state = 'idle' }: { isBroken: boolean; state?: 'idle' | 'impossible' }): void {
    const client = this.#client
    const hasListened = this.#state === 'open'
    this.#client = null
    this.#state = state
    // The pool listens to what it is given back, in the same turn.
    this.#stop()
    this.#stop = () => {}
    client?.release(isBroken || hasListened)
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }
}
