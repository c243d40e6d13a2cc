/** Part 4: what a coordinator costs that has nothing to do. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { forEver } from '../claims/fill.ts'
import { cpuMs, residentMib } from '../measuring/process-use.ts'
import { rounded } from '../measuring/spread.ts'
import type { LoadResult } from '../patterns/load.ts'
import type { LoadQuestion } from '../patterns/load-process.ts'
import { startChild } from '../setting/child.ts'
import { startCoordinator } from '../setting/coordinator-process.ts'
import { type Stores, sqlitePath } from '../setting/stores.ts'

export interface IdleFigures {
  readonly store: 'sqlite'
  /** Resident memory, MiB: after the start, and after so many sagas over HTTP. */
  readonly startMib: number
  readonly sagas: number
  readonly afterSagasMib: number
  /** Transactions that wait in the store, and the share of one core that the coordinator then uses. */
  readonly parked: number
  readonly idleSeconds: number
  readonly idleCpuPercent: number
  readonly idleMib: number
}

export interface IdleOptions {
  readonly sagas: number
  readonly parked: number
  readonly idleSeconds: number
}

export async function measureIdle(stores: Stores, options: IdleOptions): Promise<IdleFigures> {
  return { store: 'sqlite', ...(await memory(stores, options)), ...(await rest(stores, options)) }
}

async function memory(stores: Stores, { sagas }: IdleOptions) {
  const business = startChild<object, number>(new URL('../patterns/business.ts', import.meta.url))
  const driver = startChild<LoadQuestion, LoadResult>(new URL('../patterns/load-process.ts', import.meta.url))
  const url = `http://127.0.0.1:${await business.ask({})}`
  const services = { bank: { url, barrier: true } }
  const coordinator = await startCoordinator({
    directory: stores.directory,
    store: await stores.create('sqlite'),
    services,
  })
  try {
    const startMib = residentMib(coordinator.pid)
    await driver.ask({
      pattern: 'saga',
      client: 'protocol',
      until: 'final',
      url: coordinator.url,
      businessUrl: url,
      local: '',
      inFlight: 64,
      seconds: 60,
      countMax: sagas,
    })
    return { startMib, sagas, afterSagasMib: residentMib(coordinator.pid) }
  } finally {
    await coordinator.stop()
    await Promise.all([driver.stop(), business.stop()])
  }
}

async function rest(stores: Stores, { parked, idleSeconds }: IdleOptions) {
  const store = await stores.create('sqlite')
  park(sqlitePath(store), parked)
  const coordinator = await startCoordinator({ directory: stores.directory, store, services: {} })
  try {
    await pause(1_000)
    const before = cpuMs([coordinator.pid])
    const startedMs = performance.now()
    await pause(idleSeconds * 1_000)
    const idleCpuPercent = rounded(((cpuMs([coordinator.pid]) - before) / (performance.now() - startedMs)) * 100)
    return { parked, idleSeconds, idleCpuPercent, idleMib: residentMib(coordinator.pid) }
  } finally {
    await coordinator.stop()
  }
}

/** Sagas that wait for a time that never comes. */
function park(path: string, count: number): void {
  const database = new DatabaseSync(path)
  database.exec(`insert into lockstep_transactions (id, pattern, content_hash, definition, needs, created_at, status, state,
    updated_at, next_at, age_from, epoch, version, expired)
    with recursive series(n) as (select 1 union all select n + 1 from series where n < ${count})
    select 'parked-' || n, 'saga', '', '{}', '[]', n, 'committing', '{}', n, ${forEver}, n, 1, 1, 0 from series`)
  database.close()
}
