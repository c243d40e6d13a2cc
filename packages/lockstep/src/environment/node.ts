import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import type { Environment } from '../ports/index.ts'

const fractionBytes = new Uint32Array(64)
let fractionsLeft = 0

/** The real clock, timers, randomness and hash. */
export const nodeEnvironment: Environment = {
  clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  timers: {
    after(delayMs, fire) {
      const timer = setTimeout(fire, Math.min(delayMs, 2_147_483_647))
      return { cancel: () => clearTimeout(timer) }
    },
  },
  random: {
    fraction() {
      if (fractionsLeft === 0) {
        randomFillSync(fractionBytes)
        fractionsLeft = fractionBytes.length
      }
      fractionsLeft -= 1
      return (fractionBytes[fractionsLeft] ?? 0) / 2 ** 32
    },
    hex: (bytes) => randomBytes(bytes).toString('hex'),
  },
  sha256: (text) => createHash('sha256').update(text, 'utf8').digest('hex'),
}
