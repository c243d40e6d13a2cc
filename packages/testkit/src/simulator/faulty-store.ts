import { LockstepError } from 'lockstep'
import type { Claimed, Entry, EntryResult, TransactionStore } from 'lockstep/ports'
import type { RandomStream } from './random-streams.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimulatedNode } from './simulated-node.ts'

/**
 * The store as one coordinator sees it over a network that fails. It gives no outcome that a real database does not give: an error
 * before the effect, an error after it, a COMMIT whose answer is lost and that lands, or does not land, later, while the rows stay
 * locked as by the session that still holds them.
 */
export interface StoreFaults {
  readonly failBefore: number
  readonly failAfter: number
  /** The answer is lost and the COMMIT lands up to `lateMaxMs` later, or never. */
  readonly late: number
  readonly lateMaxMs: number
  readonly slowMaxMs: number
}

export interface StoreWatch {
  committed(node: SimulatedNode, batch: readonly Entry[], results: readonly EntryResult[]): void
  claimed(node: SimulatedNode, claimed: readonly Claimed[], request: Parameters<TransactionStore['claim']>[0]): void
  /** The instance knows what it has claimed. Until then it may go on with what it had before. */
  claimAnswered(node: SimulatedNode, claimed: readonly Claimed[]): void
  renewed(node: SimulatedNode, owner: string, leaseMs: number, services: readonly string[]): void
  /** The lease has ended, because its owner said so. */
  resigned(node: SimulatedNode, owner: string): void
}

/** What several coordinators share: the rows, and the locks of sessions that have not ended. */
export interface SharedStore {
  readonly rows: TransactionStore
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly faults: () => StoreFaults
  readonly watch: StoreWatch
  /** Ends when the session that holds the rows has ended. */
  lockedUntil: Promise<void> | null
}

export function faultyStore(shared: SharedStore, node: SimulatedNode): TransactionStore {
  const { rows, random, faults, watch } = shared
  const plain = <T>(label: string, effect: () => Promise<T>) => throughNetwork(shared, node, label, effect)
  return {
    name: 'simulated',
    exclusive: rows.exclusive,
    open: () => plain('open', () => rows.open()),
    read: (ids) => plain('read', () => rows.read(ids)),
    history: (id) => plain('history', () => rows.history(id)),
    list: (filter) => plain('list', () => rows.list(filter)),
    heartbeat: (request) =>
      plain('heartbeat', async () => {
        const answer = await rows.heartbeat(request)
        watch.renewed(node, request.owner, request.leaseMs, request.services)
        return answer
      }),
    resign: (owner) =>
      plain('resign', async () => {
        await rows.resign(owner)
        watch.resigned(node, owner)
      }),
    retire: (request) => plain('retire', () => rows.retire(request)),
    close: () => Promise.resolve(),
    async claim(request) {
      const claimed = await plain('claim', async () => {
        const taken = await rows.claim(request)
        watch.claimed(node, taken, request)
        return taken
      })
      watch.claimAnswered(node, claimed)
      return claimed
    },
    commit(batch, writer) {
      const effect = async () => {
        const results = await rows.commit(batch, writer)
        watch.committed(node, batch, results)
        return results
      }
      const late = random.chance('late', faults().late)
      const landsMs = random.integer('late-lands', 1, Math.max(1, faults().lateMaxMs))
      const lands = random.chance('late-never', 0.5)
      if (!late) return plain('commit', effect)
      return lateCommit(shared, node, { landsMs, effect: lands ? effect : null })
    },
  }
}

/** The session outlives its client: rows stay locked until the COMMIT lands or the session is ended. */
function lateCommit(
  shared: SharedStore,
  node: SimulatedNode,
  commit: { readonly landsMs: number; readonly effect: (() => Promise<unknown>) | null },
): Promise<never> {
  const before = shared.lockedUntil ?? Promise.resolve()
  const ended = before.then(
    () =>
      new Promise<void>((resolve) => {
        shared.scheduler.after(commit.landsMs, 'late commit lands', () => {
          void (commit.effect?.() ?? Promise.resolve()).then(() => resolve())
        })
      }),
  )
  shared.lockedUntil = ended
  void ended.then(() => {
    if (shared.lockedUntil === ended) shared.lockedUntil = null
  })
  return new Promise((_, reject) => {
    node.deliver(1, 'store commit: no answer', () => reject(unavailable('the connection broke during COMMIT')))
  })
}

function throughNetwork<T>(
  shared: SharedStore,
  node: SimulatedNode,
  label: string,
  effect: () => Promise<T>,
): Promise<T> {
  const { random, faults, scheduler } = shared
  const { failBefore, failAfter, slowMaxMs } = faults()
  const failsBefore = random.chance(`${label}-fail-before`, failBefore)
  const failsAfter = random.chance(`${label}-fail-after`, failAfter)
  const thereMs = random.integer('there', 0, 1 + slowMaxMs)
  const backMs = random.integer('back', 0, 1 + slowMaxMs)
  return new Promise((resolve, reject) => {
    const answer = (run: () => void, what: string) => node.deliver(backMs, `store ${label}: ${what}`, run)
    const arrive = async (): Promise<void> => {
      if (failsBefore) return answer(() => reject(unavailable('no connection')), 'failed')
      // A read takes no lock and waits for none.
      if (label !== 'read' && label !== 'heartbeat') while (shared.lockedUntil !== null) await shared.lockedUntil
      try {
        const result = await effect()
        if (failsAfter) answer(() => reject(unavailable('the answer was lost')), 'answer lost')
        else answer(() => resolve(result), 'ok')
      } catch (error) {
        answer(() => reject(error), 'error')
      }
    }
    scheduler.after(thereMs, `store gets ${label}`, () => void arrive())
  })
}

function unavailable(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', { message })
}
