import { beforeEach, expect, test } from 'vitest'
import { startHeartbeat } from './heartbeat.ts'

/** Time that passes when told; `stall` lets it pass without a timer, as a blocked process does. */
function virtualTime() {
  let nowMs = 1_000
  const due = new Map<object, { atMs: number; fire: () => void }>()
  const first = () => [...due].sort(([, left], [, right]) => left.atMs - right.atMs)[0]
  const pass = (durationMs: number): void => {
    const endMs = nowMs + durationMs
    for (let next = first(); next !== undefined && next[1].atMs <= endMs; next = first()) {
      nowMs = Math.max(nowMs, next[1].atMs)
      due.delete(next[0])
      next[1].fire()
    }
    nowMs = endMs
  }
  return {
    now: () => nowMs,
    pass,
    stall(durationMs: number) {
      nowMs += durationMs
    },
    environment: {
      clock: { monotonicMs: () => nowMs },
      random: { fraction: () => 0 },
      timers: {
        after(delayMs: number, fire: () => void) {
          const timer = { cancel: () => void due.delete(timer) }
          due.set(timer, { atMs: nowMs + delayMs, fire })
          return timer
        },
      },
    },
    timers: () => due.size,
  }
}

let time: ReturnType<typeof virtualTime>
let askedAtMs: number
let answeredAtMs: number
let beatsAtMs: number[]
let silentAtMs: number[]
let startedAtMs: number

/** A session of 1,200 ms: a sixth is 200, half of it 600. */
function start(onBeat: () => void = () => {}) {
  return startHeartbeat({
    environment: time.environment,
    sessionTimeoutMs: 1_200,
    askedAtMs: () => askedAtMs,
    answeredAtMs: () => answeredAtMs,
    beat() {
      askedAtMs = time.now()
      beatsAtMs.push(time.now() - startedAtMs)
      onBeat()
    },
    silent: () => void silentAtMs.push(time.now() - startedAtMs),
  })
}
const answer = (): void => {
  answeredAtMs = time.now()
}

beforeEach(() => {
  time = virtualTime()
  startedAtMs = time.now()
  askedAtMs = startedAtMs
  answeredAtMs = startedAtMs
  beatsAtMs = []
  silentAtMs = []
})

test('on an idle connection the leader is asked at every sixth of the session timeout', () => {
  start(answer)
  time.pass(1_000)
  expect([beatsAtMs, silentAtMs]).toEqual([[200, 400, 600, 800, 1_000], []])
})

test('where others ask the leader, nothing is asked besides', () => {
  start()
  for (let step = 0; step < 20; step += 1) {
    time.pass(100)
    askedAtMs = time.now()
    answer()
  }
  expect([beatsAtMs, silentAtMs]).toEqual([[], []])
})

test('half the session timeout without an answer is the end, once', () => {
  start()
  time.pass(5_000)
  expect([beatsAtMs, silentAtMs, time.timers()]).toEqual([[200, 400], [600], 0])
})

test('asking without an answer does not keep it alive', () => {
  start()
  for (let step = 0; step < 10; step += 1) {
    time.pass(100)
    askedAtMs = time.now()
  }
  expect(silentAtMs).toEqual([600])
})

test('after a stall of the process the answers get one turn to be read before silence is believed', () => {
  start()
  time.stall(2_000)
  time.pass(0)
  expect(silentAtMs).toEqual([])
  answer()
  time.pass(200)
  expect(silentAtMs).toEqual([])

  time.stall(2_000)
  time.pass(0)
  time.stall(2_000)
  time.pass(0)
  expect(silentAtMs).toHaveLength(1)
})

test('cancelled it is quiet', () => {
  start().cancel()
  time.pass(5_000)
  expect([beatsAtMs, silentAtMs, time.timers()]).toEqual([[], [], 0])
})
