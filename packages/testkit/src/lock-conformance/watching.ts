import { equal, ok } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { isLockstepError } from 'lockstep'
import type { Lease } from 'lockstep/locks'
import type { LockLab } from './lock-case.ts'

/** The code of the error, the text of anything else that was thrown, or `nothing thrown`. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing thrown'
  } catch (error) {
    return isLockstepError(error) ? error.code : String(error)
  }
}

/** Asks until it is true. Fails after the limit. */
export async function eventually(
  what: string,
  check: () => Promise<boolean> | boolean,
  limitMs = 10_000,
): Promise<void> {
  const untilMs = performance.now() + limitMs
  while (!(await check())) {
    ok(performance.now() < untilMs, `${what}: not in ${limitMs} ms`)
    await pause(10)
  }
}

/** Nobody holds, and nobody stands in a queue. */
export async function nothingLeft(lab: LockLab, name: string): Promise<void> {
  let left: readonly string[] = []
  const isClean = async (): Promise<boolean> => {
    left = await lab.leftovers(name)
    return left.length === 0
  }
  const deadlineMs = performance.now() + lab.freedAfterMs + 5_000
  while (!(await isClean())) {
    ok(performance.now() < deadlineMs, `left behind: ${left.join(', ')}`)
    await pause(20)
  }
}

/** Sees how many own a name at a time, and that each of them has a larger token than the one before. */
export class Register {
  holders = 0
  mostHolders = 0
  readonly tokens: bigint[] = []

  async hold(lease: Lease, forMs: number): Promise<void> {
    lease.assertHeld()
    this.holders += 1
    this.mostHolders = Math.max(this.mostHolders, this.holders)
    this.tokens.push(lease.fencingToken)
    await pause(forMs)
    this.holders -= 1
  }

  /** As a fenced resource sees it. */
  check(grants: number): void {
    equal(this.tokens.length, grants)
    equal(this.mostHolders, 1)
    const falling = this.tokens.findIndex((token, index) => index > 0 && token <= (this.tokens[index - 1] ?? 0n))
    equal(falling, -1, `token ${this.tokens[falling]} came after ${this.tokens[falling - 1]}`)
  }
}
