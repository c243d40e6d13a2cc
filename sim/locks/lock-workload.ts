/**
 * W9: locks over simulated servers that run the real scripts. Processes are killed and paused, servers die with and without their data,
 * requests and answers are lost or late. Nobody is granted a name while another's lease is valid; tokens grow; a fenced value loses no
 * update; and when the trouble is over everybody is served and nothing is left behind.
 */
import { RandomStreams, Scheduler, SimulatedNode, sha256 } from '@lockstep/testkit'
import { createLocks } from 'lockstep'
import type { OpenLockBackend, RedisConnector } from 'lockstep/ports'
import { drawFaults, noFaults } from '../faults.ts'
import type { SeedOutcome } from '../workload.ts'
import { FencedRegister } from './fenced-register.ts'
import { LockWatch } from './lock-watch.ts'
import { workOnce } from './lock-worker.ts'
import { simulatedConnector } from './simulated-connector.ts'
import { type Persistence, SimulatedRedis } from './simulated-redis.ts'

export interface LockScenario {
  readonly servers: number
  readonly processes: number
  readonly persistence: Persistence
  readonly locks: (connectors: readonly RedisConnector[]) => OpenLockBackend
}

interface Process {
  readonly node: SimulatedNode
  /** Pieces of work that have not ended. */
  open: number
  readonly work: () => void
}

const rounds = 40
const troubleMs = 60_000
const restMs = 300_000
/** Servers and processes measure the same second with up to this much of difference. */
const driftMax = 0.004

export async function runLocks(
  seed: number,
  scenario: LockScenario,
  note: (line: string) => void,
): Promise<SeedOutcome> {
  const streams = new RandomStreams(seed, (stream, label, value) => note(`draw ${stream} ${label} ${value}`))
  const scheduler = new Scheduler({
    random: streams.fork('schedule'),
    stepsMax: 400_000,
    onEvent: (at, label) => note(`${at} ${label}`),
  })
  const drawn = drawFaults(streams.fork('rates'))
  let faults = { ...drawn, network: { ...drawn.network, delayMaxMs: Math.min(drawn.network.delayMaxMs, 180) } }
  const redises = Array.from(
    { length: scenario.servers },
    (_, at) =>
      new SimulatedRedis({
        name: `redis-${at + 1}`,
        scheduler,
        random: streams.fork('redis'),
        persistence: scenario.persistence,
      }),
  )
  const watch = new LockWatch(() => scheduler.now())
  const registers = () => new Map(['one', 'two'].map((name) => [name, new FencedRegister()]))
  const [fenced, unfenced] = [registers(), registers()]
  const failures: unknown[] = []
  let crashes = 0

  const start = (name: string): Process => {
    const node = new SimulatedNode({
      name,
      scheduler,
      random: streams.fork(`${name} fate`),
      ownRandom: streams.fork(name),
      faults: () => faults.coordinator,
      skewMs: streams.fork('skew').integer('skew', -5_000, 5_000),
      driftPpm: 0,
      clockRandom: streams.fork('clocks'),
      sha256,
      onCrash: () => {
        crashes += 1
      },
    })
    const rate = 1 + (streams.fork('drift').fraction('drift') * 2 - 1) * driftMax
    const clock = { now: () => node.environment.clock.now(), monotonicMs: () => scheduler.now() * rate }
    const parts = { scheduler, random: streams.fork('network'), faults: () => faults.network }
    const connectors = redises.map((redis) => simulatedConnector(redis, node, parts))
    const locks = createLocks(scenario.locks(connectors), { environment: { ...node.environment, clock } })
    const worker = {
      node,
      locks,
      scheduler,
      random: streams.fork(`${name} work`),
      watch,
      fenced,
      unfenced,
      delayMaxMs: () => faults.network.delayMaxMs,
    }
    const started: Process = {
      node,
      open: 0,
      work: () => {
        started.open += 1
        workOnce(worker)
          .catch((error: unknown) => failures.push(error))
          .finally(() => {
            started.open -= 1
          })
      },
    }
    return started
  }

  const choice = streams.fork('choice')
  // What a dead process was doing is nobody's any more.
  const openWork = (): number => processes.reduce((sum, { node, open }) => sum + (node.alive ? open : 0), 0)
  const processes = Array.from({ length: scenario.processes }, (_, at) => start(`process-${at + 1}`))
  const nextProcess = (): (typeof processes)[number] => {
    const at = choice.integer('process', 0, processes.length - 1)
    const found = processes[at]
    if (found?.node.alive) return found
    const fresh = start(`process-${at + 1}-after-${crashes}`)
    processes[at] = fresh
    return fresh
  }
  for (let round = 0; round < rounds; round++)
    scheduler.after(choice.integer('when', 0, troubleMs), 'work', () => nextProcess().work())
  for (let death = 0; death < 4; death++) {
    const dies = choice.chance('servers die', 0.4)
    const at = choice.integer('dies at', 0, troubleMs)
    const awayMs = choice.integer('away', 10, 4_000)
    // Sometimes all of a rack: a majority that forgets at the same time is what only its start-up grace protects from.
    const together = choice.integer('die together', 1, redises.length)
    if (dies)
      for (const redis of redises.slice(0, together))
        scheduler.after(at, `${redis.name} dies`, () => redis.crash(awayMs))
  }
  const violated = (): boolean => watch.violation !== null || failures.length > 0
  await scheduler.runUntil(violated, troubleMs, () => {})
  faults = { ...noFaults, network: { ...noFaults.network, delayMaxMs: 5 } }
  // Time goes on when nobody does anything, until what the dead have left has run out.
  for (let at = 0; at < restMs; at += 1_000) scheduler.after(at, 'time passes', () => {})
  const rested = await scheduler.runUntil(
    () => violated() || (openWork() === 0 && isClean(redises)),
    restMs,
    () => {},
  )
  const violation =
    watch.violation ??
    (failures.length > 0 ? `unexpected: ${String(failures[0])} ${(failures[0] as Error)?.stack ?? ''}` : null) ??
    lostUpdates(fenced) ??
    (rested
      ? null
      : `${openWork()} are still at it, or left behind: ${redises.flatMap((redis) => redis.locks()).join(', ')}`)
  return {
    violation,
    steps: scheduler.steps,
    virtualMs: scheduler.now(),
    transactions: watch.grants,
    takeovers: crashes,
  }
}

function isClean(redises: readonly SimulatedRedis[]): boolean {
  return redises.every((redis) => redis.isUp && redis.locks().length === 0)
}

function lostUpdates(fenced: ReadonlyMap<string, FencedRegister>): string | null {
  for (const [name, { lostUpdates: lost }] of fenced)
    if (lost > 0) return `W9: ${lost} updates of the fenced ${name} were lost`
  return null
}
