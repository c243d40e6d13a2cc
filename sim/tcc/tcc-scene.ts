import type { Scene } from '../scene.ts'
import { checkEnd } from './end-checks.ts'
import { type TccScenario, TccWorld } from './tcc-world.ts'
import { TccUsers } from './users.ts'

export function tccScene(seed: number, scenario: TccScenario, log: (line: string) => void): Scene {
  const world = new TccWorld(seed, scenario, log)
  const users = new TccUsers(world)
  return {
    installation: world.installation,
    users,
    // An initiator beside the coordinator has one for each try, and for whatever it waits for.
    timersMax: 64,
    async open() {
      await world.open()
      users.open()
    },
    check: () => world.check(),
    checkEnd: () => checkEnd(world),
  }
}
