/**
 * W9: locks over simulated servers that run the real scripts. Processes are killed and paused, servers die with and without their data,
 * requests and answers are lost or late. Nobody is granted a name while another's lease is valid; tokens grow; a fenced value loses no
 * update; and when the trouble is over everybody is served and nothing is left behind.
 */
import type { SeedOutcome } from '../workload.ts'
import { type LockScenario, LockWorld } from './lock-world.ts'

export type { LockScenario } from './lock-world.ts'

const rounds = 40
const deaths = 4
const troubleMs = 60_000
const restMs = 300_000

export async function runLocks(
  seed: number,
  scenario: LockScenario,
  note: (line: string) => void,
): Promise<SeedOutcome> {
  const world = new LockWorld(seed, scenario, note)
  const { scheduler, watch } = world
  planWork(world)
  for (let death = 0; death < deaths; death++) planDeath(world)
  const violated = (): boolean => watch.violation !== null || world.failures.length > 0
  await scheduler.runUntil(violated, troubleMs, () => {})
  world.calm()
  // Time goes on when nobody does anything, until what the dead have left has run out.
  for (let at = 0; at < restMs; at += 1_000) scheduler.after(at, 'time passes', () => {})
  const isOver = (): boolean => violated() || (world.openWork === 0 && world.isClean)
  const rested = await scheduler.runUntil(isOver, restMs, () => {})
  const violation = world.violation ?? (rested ? null : unrest(world))
  return {
    violation,
    steps: scheduler.steps,
    virtualMs: scheduler.now(),
    transactions: watch.grants,
    takeovers: world.crashes,
  }
}

function planWork(world: LockWorld): void {
  const choice = world.streams.fork('choice')
  for (let round = 0; round < rounds; round++)
    world.scheduler.after(choice.integer('when', 0, troubleMs), 'work', () => world.work())
}

/** Sometimes all of a rack: a majority that forgets at the same time is what only its start-up grace protects from. */
function planDeath({ scheduler, streams, servers }: LockWorld): void {
  const choice = streams.fork('choice')
  const dies = choice.chance('servers die', 0.4)
  const at = choice.integer('dies at', 0, troubleMs)
  const awayMs = choice.integer('away', 10, 4_000)
  const together = choice.integer('die together', 1, servers.length)
  if (!dies) return
  for (const server of servers.slice(0, together))
    scheduler.after(at, `${server.name} dies`, () => server.crash(awayMs))
}

function unrest({ openWork, servers }: LockWorld): string {
  return `${openWork} are still at it, or left behind: ${servers.flatMap((server) => server.locks()).join(', ')}`
}
