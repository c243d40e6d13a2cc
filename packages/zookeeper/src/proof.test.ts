import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Proof } from './proof.ts'

const timeoutMs = 1_200
/** Answered 10 ms after it was sent. */
const touch = (sentAtMs: number) => ({ sentAtMs, answeredAtMs: sentAtMs + 10 })

function greetedAt(sentAtMs: number): Proof {
  const proof = new Proof()
  proof.greeted(touch(sentAtMs), timeoutMs)
  return proof
}

describe('a session is proven', () => {
  test('from the sending of the hello', () => {
    expect(new Proof().untilMs).toBe(Number.NEGATIVE_INFINITY)
    expect(greetedAt(1_000).untilMs).toBe(1_000 + timeoutMs)
  })

  test('by the leader, for every touch that a follower has had a quarter of the timeout to pass on', () => {
    const proof = greetedAt(0)
    proof.answered(touch(200), true)
    expect(proof.untilMs).toBe(timeoutMs)
    proof.answered(touch(400), true)
    expect(proof.untilMs).toBe(timeoutMs)
    proof.answered(touch(510), true)
    expect(proof.untilMs).toBe(200 + timeoutMs)
    proof.answered(touch(710), true)
    expect(proof.untilMs).toBe(400 + timeoutMs)
  })

  test('not by what a follower answers alone, however often', () => {
    const proof = greetedAt(0)
    for (let nowMs = 10; nowMs < 10_000; nowMs += 10) proof.answered(touch(nowMs), false)
    expect(proof.untilMs).toBe(timeoutMs)
  })

  test('by touches through reads, once the leader has answered after them', () => {
    const proof = greetedAt(0)
    for (let nowMs = 100; nowMs <= 1_000; nowMs += 100) proof.answered(touch(nowMs), false)
    proof.answered(touch(1_010), true)
    expect(proof.untilMs).toBe(700 + timeoutMs)
  })

  test('by a touch from when it was sent, however late it was answered', () => {
    const proof = greetedAt(0)
    proof.answered({ sentAtMs: 100, answeredAtMs: 1_000 }, false)
    proof.answered(touch(1_100), true)
    expect(proof.untilMs).toBe(timeoutMs)
    proof.answered(touch(1_300), true)
    expect(proof.untilMs).toBe(100 + timeoutMs)
  })

  test('on a new connection by the greeting, and by the touches after it', () => {
    const proof = greetedAt(0)
    proof.answered(touch(500), false)
    proof.greeted(touch(600), timeoutMs)
    expect(proof.untilMs).toBe(600 + timeoutMs)
    proof.answered(touch(850), true)
    expect(proof.untilMs).toBe(600 + timeoutMs)
  })
})

/**
 * The leader of the model hears of touches when the follower passes them on, at least every quarter of the timeout while it has the
 * leader, and ends the session that long after the last of them.
 */
test('whatever is sent, and whenever the follower loses the leader, the proof ends before the session', () => {
  const gapsMs = fc.array(fc.record({ gapMs: fc.integer({ min: 1, max: 400 }), asksLeader: fc.boolean() }), {
    maxLength: 200,
  })
  const link = {
    passGapMs: fc.integer({ min: 1, max: 300 }),
    passPhaseMs: fc.nat(300),
    delayMs: fc.nat(120),
    lossMs: fc.nat(20_000),
  }
  fc.assert(
    fc.property(gapsMs, fc.record(link), (requests, { passGapMs, passPhaseMs, delayMs, lossMs }) => {
      const proof = new Proof()
      proof.greeted({ sentAtMs: 0, answeredAtMs: 2 * delayMs }, timeoutMs)
      /** When the leader knew last of a touch, and thus when it ends the session. */
      let endsAtMs = delayMs + timeoutMs
      let sentAtMs = 2 * delayMs
      for (const { gapMs, asksLeader } of requests) {
        sentAtMs += gapMs
        const arrivedAtMs = sentAtMs + delayMs
        const passedOnMs = passPhaseMs + Math.ceil((arrivedAtMs - passPhaseMs) / passGapMs) * passGapMs
        if (asksLeader && arrivedAtMs > lossMs) break
        proof.answered({ sentAtMs, answeredAtMs: arrivedAtMs + delayMs }, asksLeader)
        if (passedOnMs <= lossMs) endsAtMs = passedOnMs + timeoutMs
      }
      expect(proof.untilMs).toBeLessThanOrEqual(endsAtMs)
    }),
    { numRuns: 2_000 },
  )
})
