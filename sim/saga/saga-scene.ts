import type { Scene } from '../scene.ts'
import { Clients } from './clients.ts'
import { checkEnd } from './end-checks.ts'
import { type SagaScenario, SagaWorld } from './saga-world.ts'

export function sagaScene(seed: number, scenario: SagaScenario, log: (line: string) => void): Scene {
  const world = new SagaWorld(seed, scenario, log)
  const users = new Clients(world)
  return {
    installation: world.installation,
    users,
    // Its own loops, and one for each client that waits.
    timersMax: 24,
    open: () => world.open(),
    checkEnd: () => checkEnd(world, users),
  }
}
