/**
 * What the locks protect: registers in a SQLite of the runner's, each once fenced and once not. It sees every effect, in one order. It is a
 * server, so that a worker that is stopped holds no lock of the database.
 */
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import type { FencedEffect } from '@lockstep/testkit'
import { isLockstepError } from 'lockstep'
import { claimFenceSync, fenceTableSql } from 'lockstep/fencing'

export type ResourceCall = {
  readonly worker: string
  readonly key: string
} /** Claims the fence, then reads both registers. */ & (
  | { readonly op: 'claim'; readonly token: string }
  | { readonly op: 'write'; readonly token: string; readonly value: number }
  /** Writes the register without a fence. */
  | { readonly op: 'poke'; readonly value: number }
)

export interface ResourceAnswer {
  readonly accepted: boolean
  readonly fenced: number
  readonly open: number
}

export interface Tally {
  /** Writes that were accepted, and how far the register has come by them: it has lost the difference. */
  writes: number
  lost: number
}

export class Resource {
  readonly effects: FencedEffect[] = []
  readonly refused = { claims: 0, writes: 0 }
  readonly #database = new DatabaseSync(':memory:')
  readonly #fences: boolean
  readonly #writes = { fenced: 0, open: 0 }
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => this.#serve(socket))
  /** Who has claimed last and not written since: the one whose stop or death hurts. */
  #inside: string | null = null

  /** `fences: false` is a resource that ignores the token: a known bug, for showing that the checkers catch it. */
  constructor({ fences }: { readonly fences: boolean }) {
    this.#fences = fences
    this.#database.exec(fenceTableSql())
    this.#database.exec('create table registers (key text primary key, fenced integer not null, open integer not null)')
  }

  get inside(): string | null {
    return this.#inside
  }

  /** Answers the port. */
  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  tally(register: 'fenced' | 'open'): Tally {
    const row = this.#database.prepare(`select sum(${register}) as reached from registers`).get()
    const writes = this.#writes[register]
    return { writes, lost: writes - Number(row?.['reached'] ?? 0) }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    this.#database.close()
  }

  call(call: ResourceCall): ResourceAnswer {
    this.#database.prepare('insert into registers values (?, 0, 0) on conflict do nothing').run(call.key)
    if (call.op === 'poke') return this.#poke(call)
    const accepted = this.#claim(call, call.op === 'write' ? call.value : null)
    this.effects.push({ key: call.key, token: BigInt(call.token), accepted })
    if (!accepted) this.refused[call.op === 'claim' ? 'claims' : 'writes'] += 1
    if (accepted && call.op === 'claim') this.#inside = call.worker
    if (call.op === 'write') {
      if (this.#inside === call.worker) this.#inside = null
      if (accepted) this.#writes.fenced += 1
    }
    return this.#read(call.key, accepted)
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    // It tells the errors of its input once more.
    const lines = createInterface({ input: socket }).on('error', () => {})
    lines.on('line', (line) => {
      socket.write(`${JSON.stringify(this.call(JSON.parse(line) as ResourceCall))}\n`)
    })
  }

  /** The claim and the write are one transaction. False when the token is older than one that it has seen. */
  #claim({ key, token }: { readonly key: string; readonly token: string }, value: number | null): boolean {
    this.#database.exec('begin immediate')
    try {
      if (this.#fences) claimFenceSync(this.#database, { name: key, fencingToken: BigInt(token) })
      if (value !== null) this.#database.prepare('update registers set fenced = ? where key = ?').run(value, key)
      this.#database.exec('commit')
      return true
    } catch (error) {
      this.#database.exec('rollback')
      if (isLockstepError(error, 'LOCKSTEP_STALE_TOKEN')) return false
      throw error
    }
  }

  #poke({ key, value }: { readonly key: string; readonly value: number }): ResourceAnswer {
    this.#database.prepare('update registers set open = ? where key = ?').run(value, key)
    this.#writes.open += 1
    return this.#read(key, true)
  }

  #read(key: string, accepted: boolean): ResourceAnswer {
    const row = this.#database.prepare('select fenced, open from registers where key = ?').get(key)
    return { accepted, fenced: Number(row?.['fenced']), open: Number(row?.['open']) }
  }
}
