/**
 * One body, every backend: three cashiers sell thirty seats, one at a time, and none twice.
 *
 *   node examples/09-locks/locks.ts                                       in memory
 *   node examples/09-locks/locks.ts redis=redis://127.0.0.1:6379 etcd=http://127.0.0.1:2379
 *
 * Each cashier has connections of its own, as a process would. The lock keeps them apart as a rule; the fence in the database is what
 * makes it certain: a cashier that was paused for longer than its lease is refused.
 */
import { DatabaseSync } from 'node:sqlite'
import { createLocks, messageOf } from 'lockstep'
import { claimFenceSync, fenceTableSql } from 'lockstep/fencing'
import type { Lease, Locks } from 'lockstep/locks'
import { backendOf } from './backends.ts'

const seats = 30

class BoxOffice {
  readonly #db = new DatabaseSync(':memory:')

  constructor() {
    this.#db.exec(fenceTableSql())
    this.#db.exec('create table sold (seat integer primary key, cashier text)')
  }

  /** The claim comes first: whoever reads after it knows that no older holder writes any more. */
  sellNext(lease: Lease, cashier: string): boolean {
    this.#db.exec('begin immediate')
    try {
      claimFenceSync(this.#db, lease)
      const next = this.sold.length + 1
      if (next <= seats) this.#db.prepare('insert into sold values (?, ?)').run(next, cashier)
      this.#db.exec('commit')
      return next < seats
    } catch (error) {
      this.#db.exec('rollback')
      throw error
    }
  }

  get sold(): readonly string[] {
    return this.#db
      .prepare('select cashier from sold order by seat')
      .all()
      .map((row) => String(row['cashier']))
  }
}

async function sell(locks: Locks, office: BoxOffice, cashier: string): Promise<bigint[]> {
  const tokens: bigint[] = []
  for (let isOpen = true; isOpen; )
    isOpen = await locks.withLock(
      'box-office',
      (lease) => {
        tokens.push(lease.fencingToken)
        lease.assertHeld()
        return office.sellNext(lease, cashier)
      },
      { wait: '30s', label: cashier },
    )
  return tokens
}

async function run(argument: string): Promise<void> {
  const office = new BoxOffice()
  const cashiers = ['ann', 'bob', 'cy'].map((name) => ({ name, locks: createLocks(backendOf(argument)) }))
  // A server that is not there says so now; whoever asks for a lock would hope for its return for some seconds.
  await cashiers[0]?.locks.inspect('box-office')
  const startedMs = performance.now()
  const tokens = (await Promise.all(cashiers.map(({ name, locks }) => sell(locks, office, name)))).flat()
  const tookMs = performance.now() - startedMs
  const { fencing, fair } = cashiers[0]?.locks.capabilities ?? { fencing: 'none', fair: false }
  const shares = cashiers.map(({ name }) => `${name} ${office.sold.filter((one) => one === name).length}`).join(', ')
  const kind = argument.split('=', 1)[0] ?? argument
  console.log(
    `${kind.padEnd(20)} ${office.sold.length} of ${seats} seats sold once each (${shares}), ${tokens.length} leases, ` +
      `${new Set(tokens).size} tokens; fencing ${fencing}, ${fair ? 'fair' : 'not fair'}; ${Math.round(tookMs)} ms`,
  )
  await Promise.all(cashiers.map(({ locks }) => locks.close()))
}

const chosen = process.argv.slice(2)
for (const argument of chosen.length > 0 ? chosen : ['memory']) {
  try {
    await run(argument)
  } catch (error) {
    console.error(`${argument.split('=', 1)[0]}: ${messageOf(error)}`)
    // The other cashiers may still wait, and there is nothing to wait for.
    process.exit(1)
  }
}
