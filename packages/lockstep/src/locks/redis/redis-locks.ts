/** Locks on one Redis master: a queue at the server, and hand-over from the one who releases to the one who has waited longest. */
import { LockstepError } from '../../errors.ts'
import {
  type LockAsk,
  type LockBackend,
  type LockHold,
  lockKind,
  type OpenLockBackend,
  type Passed,
  type RedisConnector,
  type RedisReply,
} from '../../ports/index.ts'
import { locksClosed } from '../backend/index.ts'
import { Aborts } from './aborts.ts'
import { answerOf, Contention } from './contention.ts'
import { warnOfEviction } from './eviction-policy.ts'
import { Extensions } from './extensions.ts'
import { giveUpsOver } from './give-ups.ts'
import { evict, inspect } from './inspection.ts'
import type { RedisLockParts } from './parts.ts'
import { memberOf, recipeOf } from './recipe.ts'
import { RedisHold } from './redis-hold.ts'
import { Together } from './together.ts'
import { isUnknown, toLockError } from './trouble.ts'
import { WakeUps } from './wake-ups.ts'

export interface RedisLocksOptions {
  /** In front of every key and channel; `lockstep` unless given. Locks see each other only with the same prefix. */
  readonly prefix?: string
  /** `poll` where pub/sub is forbidden or does not arrive; a hand-over then takes up to half a second. */
  readonly wakeUp?: 'push' | 'poll'
  /**
   * A grant counts only when this many replicas have it, asked with WAIT, which keeps other locks of this process waiting as well. A
   * failover can still lose it: WAIT does not make Redis consistent.
   */
  readonly replicas?: number
  /** Bound of one request, 1 s unless given. */
  readonly callTimeoutMs?: number
}

/**
 * Locks on one Redis master, 6.2 or newer; mutexes, read-write locks and semaphores.
 *
 * **Guarantees** first come, first served, between processes whose connections live; a process that was killed costs the next one at most a
 * second while it waits, and its TTL while it holds. Tokens grow while the data and the server's clock survive.
 * **Does not guarantee** anything over a failover to a replica: the lock may be granted twice. Use fencing tokens.
 *
 * Fails with `LOCKSTEP_CONFIGURATION` for options that are not valid.
 *
 * @example
 * const locks = createLocks(redisLocks(ioRedis(new Redis())))
 */
export function redisLocks(connector: RedisConnector, options: RedisLocksOptions = {}): OpenLockBackend {
  const { prefix = 'lockstep', wakeUp = 'push', replicas = 0, callTimeoutMs = 1_000 } = options
  checkOptions(prefix, replicas, callTimeoutMs)
  return (environment) => {
    const connection = connector.open(environment)
    const together = new Together(connection, environment.timers)
    const channel = `${prefix}:wake:${environment.random.hex(10, 'lock channel')}`
    return redisBackend({
      backend: `Redis (${connector.name})`,
      prefix,
      connection,
      environment,
      together,
      extensions: new Extensions(connection, environment.timers, callTimeoutMs),
      wakeUps: wakeUp === 'poll' ? null : new WakeUps(connection, channel),
      replicas: replicas === 0 ? null : { count: replicas, timeoutMs: callTimeoutMs },
      callTimeoutMs,
      aborts: new Aborts(),
      contentions: new Set(),
      unsettled: new Set(),
      giveUps: giveUpsOver(together, environment, callTimeoutMs),
    })
  }
}

function redisBackend(parts: RedisLockParts): LockBackend {
  let isClosed = false
  const throwIfClosed = (): void => {
    if (isClosed) throw locksClosed(parts.backend)
  }
  const checkPolicyOnce = policyCheck(parts)
  return {
    name: parts.backend,
    capabilities: {
      fencing: 'best-effort',
      fair: parts.wakeUps !== null,
      wakeUp: parts.wakeUps === null ? 'poll' : 'push',
      sharing: true,
    },
    ttlMinMs: 100,
    ttlMaxMs: 86_400_000,
    async contend(ask) {
      throwIfClosed()
      throwIfAborted(parts, ask)
      const result = new Contention(parts, ask).contend()
      checkPolicyOnce()
      return result
    },
    async pass(hold, ask) {
      throwIfClosed()
      return pass(parts, hold, ask)
    },
    abandon(ask) {
      if (!parts.unsettled.delete(ask.owner)) return
      const recipe = recipeOf(parts.prefix, lockKind(ask.mode), ask.name)
      parts.giveUps.start({ recipe, member: memberOf(ask), ttlMs: ask.ttlMs })
    },
    async inspect(name) {
      throwIfClosed()
      return inspect(parts, name)
    },
    async evict(name, token) {
      throwIfClosed()
      return evict(parts, name, token)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      for (const contention of [...parts.contentions]) contention.close()
      await parts.giveUps.close()
      await parts.connection.close()
    },
  }
}

function throwIfAborted({ unsettled, giveUps, prefix }: RedisLockParts, ask: LockAsk): void {
  const mayBeKnown = unsettled.size > 0 && unsettled.delete(ask.owner)
  if (!ask.signal.aborted) return
  const recipe = recipeOf(prefix, lockKind(ask.mode), ask.name)
  if (mayBeKnown) giveUps.start({ recipe, member: memberOf(ask), ttlMs: ask.ttlMs })
  throw ask.signal.reason
}

/**
 * One script releases and asks for the next waiter of this process. When it is not answered nothing is given up: the caller asks again, with the same
 * owner, and a farewell that overtakes that would take away what it is granted; or it abandons the ask.
 */
async function pass(parts: RedisLockParts, hold: LockHold, ask: LockAsk): Promise<Passed> {
  const { together, callTimeoutMs, environment, backend } = parts
  if (!(hold instanceof RedisHold))
    throw new LockstepError('LOCKSTEP_BUG', { message: 'The hold is of another backend.' })
  const contention = new Contention(parts, ask)
  contention.result.catch(() => undefined)
  const sentAtMs = environment.clock.monotonicMs()
  let reply: readonly RedisReply[]
  try {
    const args = [hold.member, ...contention.wanted()]
    reply = (await together.run('pass', contention.recipe, args, callTimeoutMs)) as readonly RedisReply[]
  } catch (error) {
    if (isUnknown(error)) parts.unsettled.add(ask.owner)
    contention.forget()
    throw toLockError(error, backend)
  }
  const wasHeld = reply[0] === 1
  const next = wasHeld ? contention.continueWith(answerOf(reply.slice(1), sentAtMs)) : contention.contend()
  return { wasHeld, next }
}

/** At the first use, and in the background: a warning is worth no wait. */
function policyCheck({ connection, environment, callTimeoutMs }: RedisLockParts): () => void {
  let isChecked = false
  return () => {
    if (isChecked) return
    isChecked = true
    void warnOfEviction(connection, environment, callTimeoutMs)
  }
}

function checkOptions(prefix: string, replicas: number, callTimeoutMs: number): void {
  const mend = (message: string, next: string) => new LockstepError('LOCKSTEP_CONFIGURATION', { message, next })
  if (!/^[A-Za-z0-9._:~@=+-]{1,100}$/.test(prefix))
    throw mend('`prefix` of redisLocks() is 1 to 100 characters of A-Z a-z 0-9 . _ : ~ @ = + -.', 'Pass such as myapp.')
  if (!Number.isInteger(replicas) || replicas < 0)
    throw mend('`replicas` of redisLocks() is a whole number from 0.', 'Pass how many replicas must have a lock.')
  if (!Number.isInteger(callTimeoutMs) || callTimeoutMs < 10)
    throw mend('`callTimeoutMs` of redisLocks() is a whole number from 10.', 'Pass such as 1000.')
}
