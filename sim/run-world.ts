import { Clients } from './clients.ts'
import { checkEnd, isAtRest } from './end-checks.ts'
import type { SeedOutcome } from './workload.ts'
import { type Scenario, World } from './world.ts'

const safetyMaxMs = 180_000
const livenessMaxMs = 30 * 60_000
const clientsAtOnce = 4
/** Its own loops, and one for each client that waits. */
const timersMax = 24

/** A phase with faults, then healing, then everything must come to rest. */
export async function runWorld(seed: number, scenario: Scenario, note: (line: string) => void): Promise<SeedOutcome> {
  const world = new World(seed, scenario, note)
  const clients = new Clients(world)
  const violation = await phases(world, clients)
  return {
    violation,
    steps: world.scheduler.steps,
    virtualMs: Math.round(world.scheduler.now()),
    transfers: clients.transfers.length,
    takeovers: world.watcher.takeovers,
  }
}

/** Law 12: what a coordinator keeps in memory is bounded, whatever comes. */
function watchBounds(world: World): void {
  const { intake } = world.scenario
  for (const { node, coordinator } of world.coordinators.flatMap((one) => one ?? [])) {
    const { activeCount } = coordinator
    // What a claim that is on its way will bring is not counted, so begins may fill the intake once more meanwhile.
    if (activeCount > 2 * intake)
      world.watcher.violate(`law 12: ${activeCount} at work in ${node.name}, its bound is ${intake}`)
    if (node.timersOut > timersMax + 2 * activeCount)
      world.watcher.violate(`law 12: ${node.timersOut} timers in ${node.name}, with ${activeCount} at work`)
  }
}

class Violated extends Error {}

async function phases(world: World, clients: Clients): Promise<string | null> {
  const check = () => {
    watchBounds(world)
    const [first] = world.watcher.violations
    if (first !== undefined) throw new Violated(first)
  }
  try {
    const opened = world.open()
    await world.scheduler.runUntil(() => world.banks.length === world.scenario.banks, 60_000, check)
    await opened
    clients.start(clientsAtOnce)
    await world.scheduler.runUntil(() => clients.busy === 0, safetyMaxMs, check)
    world.heal()
    const rested = await rest(world, clients, check)
    check()
    if (!rested) return `not at rest after ${livenessMaxMs / 60_000} healed minutes: ${unfinished(world)}`
    // What is still on the wire arrives: a late call must change nothing.
    await world.scheduler.runUntil(() => false, 60_000, check)
    await checkEnd(world, clients)
    check()
    return null
  } catch (error) {
    return error instanceof Error
      ? error instanceof Violated
        ? error.message
        : (error.stack ?? error.message)
      : String(error)
  }
}

async function rest(world: World, clients: Clients, check: () => void): Promise<boolean> {
  for (let elapsedMs = 0; elapsedMs < livenessMaxMs; elapsedMs += 10_000) {
    const isDone = () => clients.busy === 0 && isAtRest(world)
    if (await world.scheduler.runUntil(isDone, 10_000, check)) return true
    void clients.cureHeld()
  }
  return false
}

function unfinished(world: World): string {
  const open = [...world.watcher.seen].filter(([, { status }]) => status !== 'committed' && status !== 'rolled-back')
  return open
    .map(([id, { status, owner, epoch, state }]) => `${id} ${status}, owner ${owner}, epoch ${epoch}: ${state}`)
    .join('\n')
}
