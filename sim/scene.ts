import type { Installation } from './installation.ts'
import type { SeedOutcome } from './workload.ts'

/** What a workload does with an installation. */
export interface Scene {
  readonly installation: Installation
  /** Opens the databases, starts the services and the coordinators. */
  open(): Promise<void>
  readonly users: Users
  /** Timers that the processes of the coordinators may have beside two for each transaction at work. */
  readonly timersMax: number
  /** What must hold after every event; violations are told to the watcher. */
  check?(): void
  /** What must hold once everything is healed and has come to rest. */
  checkEnd(): Promise<void>
}

/** Whoever asks something of the coordinators. */
export interface Users {
  start(count: number): void
  /** How many have not finished. */
  readonly busy: number
  readonly transactions: number
  /** After healing: a person looks through what is held and cures it. */
  cureHeld(): Promise<void>
}

const safetyMaxMs = 180_000
const livenessMaxMs = 30 * 60_000
const usersAtOnce = 4

/** A phase with faults, then healing, then everything must come to rest. */
export async function runScene(scene: Scene): Promise<SeedOutcome> {
  const violation = await phases(scene)
  const { scheduler, watcher } = scene.installation
  return {
    violation,
    steps: scheduler.steps,
    virtualMs: Math.round(scheduler.now()),
    transactions: scene.users.transactions,
    takeovers: watcher.takeovers,
  }
}

/** Law 12: what a coordinator keeps in memory is bounded, whatever comes. */
function watchBounds({ installation, timersMax }: Scene): void {
  const { intake } = installation.settings
  for (const { node, coordinator } of installation.coordinators.flatMap((one) => one ?? [])) {
    const { activeCount } = coordinator
    // What a claim that is on its way will bring is not counted, so begins may fill the intake once more meanwhile.
    if (activeCount > 2 * intake)
      installation.watcher.violate(`law 12: ${activeCount} at work in ${node.name}, its bound is ${intake}`)
    if (node.timersOut > timersMax + 2 * activeCount)
      installation.watcher.violate(`law 12: ${node.timersOut} timers in ${node.name}, with ${activeCount} at work`)
  }
}

class Violated extends Error {}

async function phases(scene: Scene): Promise<string | null> {
  const { scheduler, watcher } = scene.installation
  const check = () => {
    watchBounds(scene)
    scene.check?.()
    const [first] = watcher.violations
    if (first !== undefined) throw new Violated(first)
  }
  try {
    let isOpen = false
    const opened = scene.open().then(() => {
      isOpen = true
    })
    await scheduler.runUntil(() => isOpen, 60_000, check)
    await opened
    scene.users.start(usersAtOnce)
    await scheduler.runUntil(() => scene.users.busy === 0, safetyMaxMs, check)
    scene.installation.heal()
    const rested = await rest(scene, check)
    check()
    if (!rested) return `not at rest after ${livenessMaxMs / 60_000} healed minutes: ${unfinished(scene)}`
    // What is still on the wire arrives: a late call must change nothing.
    await scheduler.runUntil(() => false, 60_000, check)
    await scene.checkEnd()
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

async function rest(scene: Scene, check: () => void): Promise<boolean> {
  const { scheduler } = scene.installation
  for (let elapsedMs = 0; elapsedMs < livenessMaxMs; elapsedMs += 10_000) {
    const isDone = () => scene.users.busy === 0 && isAtRest(scene)
    if (await scheduler.runUntil(isDone, 10_000, check)) return true
    void scene.users.cureHeld()
  }
  return false
}

/** True when every transaction is final. */
function isAtRest({ installation }: Scene): boolean {
  return [...installation.watcher.seen.values()].every(
    ({ status }) => status === 'committed' || status === 'rolled-back',
  )
}

function unfinished({ installation, users }: Scene): string {
  const open = [...installation.watcher.seen].filter(
    ([, { status }]) => status !== 'committed' && status !== 'rolled-back',
  )
  const rows = open.map(
    ([id, { status, owner, epoch, state, heldReason }]) =>
      `${id} ${status}, held ${heldReason}, owner ${owner}, epoch ${epoch}: ${state}`,
  )
  return [`${users.busy} users at work`, ...rows].join('\n')
}
