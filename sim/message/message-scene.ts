import type { Scene } from '../scene.ts'
import { checkEnd } from './end-checks.ts'
import { type MessageScenario, MessageWorld } from './message-world.ts'
import { MessageUsers } from './users.ts'

export function messageScene(seed: number, scenario: MessageScenario, log: (line: string) => void): Scene {
  const world = new MessageWorld(seed, scenario, log)
  const users = new MessageUsers(world)
  return {
    installation: world.installation,
    users,
    // Senders and check-backs beside the coordinator have theirs.
    timersMax: 64,
    async open() {
      await world.open()
      users.open()
    },
    checkEnd: () => checkEnd(world),
  }
}
