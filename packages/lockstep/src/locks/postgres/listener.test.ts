/** The connection that listens for releases: when it is opened, found dead, and given back. */
import { describe, expect, test } from 'vitest'
import { VirtualTime } from '../../../test/coordinator/virtual-time.ts'
import { type PgKeptClientHandle, type PgResult, silentLogger } from '../../ports/index.ts'
import { Listener } from './listener.ts'
import { Notices } from './notices.ts'
import { type LockPool, Statements } from './statements.ts'

const answered: PgResult = { rows: [{ pid: 7 }], rowCount: 1 }

/** Its connections answer when they are told to, and say what became of them. */
function listening() {
  const time = new VirtualTime()
  const { environment, timers } = time.process()
  const clients: { released: boolean | null; asked: string[]; emit(event: string): void }[] = []
  const state = { answers: true, connects: true }
  const pool: LockPool = {
    totalCount: 0,
    async connect() {
      while (!state.connects) await new Promise((resolve) => setImmediate(resolve))
      const listeners = new Map<string, Set<() => void>>()
      const open: (() => void)[] = []
      const record = {
        released: null as boolean | null,
        asked: [] as string[],
        emit: (event: string) => {
          for (const reject of open.splice(0)) reject()
          for (const listener of listeners.get(event) ?? []) listener()
        },
      }
      clients.push(record)
      const client: PgKeptClientHandle = {
        processID: 7,
        query(text) {
          record.asked.push(text)
          if (state.answers) return Promise.resolve(answered)
          return new Promise((_, reject) => open.push(() => reject(new Error('cut'))))
        },
        release(isBroken) {
          record.released = isBroken === true
          for (const reject of open.splice(0)) reject()
        },
        on: (event: string, listener: never) => listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
        removeListener: (event: string, listener: never) => listeners.get(event)?.delete(listener),
      }
      return client
    },
  }
  const notices = new Notices()
  const statements = new Statements(pool, environment.timers)
  const listener = new Listener({
    statements,
    notices,
    environment: { ...environment, log: silentLogger },
    timeoutMs: 500,
  })
  const open = (): number => clients.filter(({ released }) => released === null).length
  return { time, timers, clients, state, notices, listener, open }
}

describe('the listener', () => {
  test('that opens when nobody waits any more is given back as well', async () => {
    const { time, timers, state, notices, listener, open } = listening()
    state.connects = false
    const waiting = notices.join('name')
    listener.need()
    waiting.leave()
    listener.rest()
    state.connects = true
    await time.advance(0)
    expect(open()).toBe(1)
    await time.advance(10_000)
    expect([open(), timers()]).toEqual([0, 0])
  })

  test('that does not answer while it opens is given up, and opened anew', async () => {
    const { time, clients, state, notices, listener, open } = listening()
    notices.join('name')
    state.answers = false
    listener.need()
    await time.advance(600)
    expect(clients.map(({ released }) => released)).toEqual([true])
    state.answers = true
    await time.advance(2_000)
    expect([open(), listener.isOpen]).toEqual([1, true])
  })

  test('that a network has forgotten is found dead while somebody waits, and opened anew', async () => {
    const { time, clients, state, notices, listener, open } = listening()
    notices.join('name')
    listener.need()
    await time.advance(0)
    expect(listener.isOpen).toBe(true)
    state.answers = false
    for (let at = 0; at < 40; at++) {
      await time.advance(500)
      listener.need()
      listener.need()
      if (clients.length > 1) state.answers = true
    }
    await time.advance(2_000)
    expect(clients[0]?.asked.filter((text) => text === 'select 1')).toHaveLength(1)
    expect(clients.slice(0, -1).every(({ released }) => released === true)).toBe(true)
    expect([clients.length > 1, open(), listener.isOpen]).toEqual([true, 1, true])
  })

  test('whose connection ends while it opens is opened once, whoever needs it meanwhile', async () => {
    const { time, clients, state, notices, listener, open } = listening()
    notices.join('name')
    state.answers = false
    listener.need()
    await time.settle()
    clients[0]?.emit('end')
    listener.need()
    state.answers = true
    await time.advance(3_000)
    listener.need()
    await time.advance(3_000)
    expect([open(), listener.isOpen]).toEqual([1, true])
  })

  test.each(['connects', 'answers'] as const)('is closed while it %s', async (what) => {
    const { time, timers, state, notices, listener, open } = listening()
    notices.join('name')
    state[what] = false
    listener.need()
    await time.settle()
    await listener.close()
    expect(timers()).toBe(0)
    state[what] = true
    await time.advance(10_000)
    expect([open(), timers()]).toEqual([0, 0])
  })
})
