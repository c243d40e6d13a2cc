import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import type { AsyncContext, Environment } from '../ports/index.ts'

const fractionBytes = new Uint32Array(64)
let fractionsLeft = 0

const hexBytes = Buffer.alloc(4_096)
let hexLeft = 0

/** From a pool: one call for many small numbers costs a tenth of a call for each. No byte is used twice. */
function hex(bytes: number): string {
  if (bytes > hexBytes.length) return randomBytes(bytes).toString('hex')
  if (hexLeft < bytes) {
    randomFillSync(hexBytes)
    hexLeft = hexBytes.length
  }
  hexLeft -= bytes
  return hexBytes.toString('hex', hexLeft, hexLeft + bytes)
}

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
    hex,
  },
  sha256: (text) => createHash('sha256').update(text, 'utf8').digest('hex'),
}

/** A new one: what one part of the library keeps in it, no other sees. */
export function nodeAsyncContext(): AsyncContext {
  const storage = new AsyncLocalStorage<unknown>()
  return { get: () => storage.getStore(), run: (value, work) => storage.run(value, work) }
}

/** One that thousands may listen to: older releases of Node warn of more than ten. */
export function openAbortController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** A listener of the user's has thrown where nobody can be told of it. */
export function reportThrown(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: 'LOCKSTEP_LISTENER' })
}

/** Who this process is, for people. */
export const thisProcess: { readonly host: string; readonly pid: number } = { host: hostname(), pid: process.pid }

/** Publishes on a channel of `node:diagnostics_channel`; costs nothing while nobody listens. */
export function diagnosticsChannel(name: string): { readonly isHeard: boolean; publish(message: unknown): void } {
  const diagnostics = channel(name)
  return {
    get isHeard() {
      return diagnostics.hasSubscribers
    },
    publish: (message) => diagnostics.publish(message),
  }
}
