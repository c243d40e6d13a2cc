import { createLocks } from 'lockstep'
import { memoryLocks } from 'lockstep/locks'
import type { LockBackend, LockHold, OpenLockBackend } from 'lockstep/ports'
import type { LockHarness, LockLab } from './lock-case.ts'

const ttlMs = 300

/** The reference, with processes that can die. */
export function memoryHarness(): LockHarness {
  const open = memoryLocks()
  const { capabilities } = createLocks(open)
  const lab: LockLab = {
    capabilities,
    ttlMs,
    hasSession: false,
    freedAfterMs: ttlMs,
    async process() {
      const death = new AbortController()
      return { locks: createLocks(mortal(open, death.signal)), crash: async () => death.abort(new Error('dead')) }
    },
    async leftovers(part) {
      const infos = await createLocks(open).inspect()
      return infos.filter(({ name }) => name.includes(part)).map(({ name, mode }) => `${mode} ${name}`)
    },
  }
  return { name: 'memory', capabilities, open: async () => lab, dispose: async () => {} }
}

/** What is dead asks for nothing any more, and gives nothing back. */
function mortal(open: OpenLockBackend, death: AbortSignal): OpenLockBackend {
  return (environment) => {
    const backend = open(environment)
    const alive = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      death.throwIfAborted()
      return work()
    }
    const holdOf = (hold: LockHold): LockHold => ({
      token: hold.token,
      get ttlMs() {
        return hold.ttlMs
      },
      get validUntilMs() {
        return hold.validUntilMs
      },
      extend: (extendMs) => alive(() => hold.extend(extendMs)),
      release: () => alive(() => hold.release()),
      watch: (tell) => hold.watch(tell),
      ...(hold.downgrade !== undefined && {
        downgrade: () =>
          alive(async () => {
            const reader = await hold.downgrade?.()
            return reader ? holdOf(reader) : null
          }),
      }),
    })
    const mortalBackend: LockBackend = {
      ...backend,
      contend: (ask) =>
        alive(async () => {
          const hold = await backend.contend({ ...ask, signal: AbortSignal.any([ask.signal, death]) })
          return hold === null ? null : holdOf(hold)
        }),
    }
    return mortalBackend
  }
}
