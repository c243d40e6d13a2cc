/** `npm run services:install`: the real services that the test suites talk to. */
import { requirePinnedNode } from './pinned-node.ts'
import { endChildrenOnSignal } from './run-program.ts'
import { installServicePackages } from './services/install-packages.ts'
import { servicePackages } from './services/packages.ts'

requirePinnedNode()
endChildrenOnSignal()

const names = servicePackages.map((entry) => entry.name).join(', ')
const result = await installServicePackages()
if (result.status !== 'not-installed') {
  console.log(`lockstep: every service of the tests is here (${names})`)
} else {
  console.error(`lockstep: not installed: ${result.packages.join(', ')}: ${result.reason}`)
  console.error(
    'Install them with your system, or point the tests at running ones, for example LOCKSTEP_TEST_POSTGRES_URL.',
  )
  process.exitCode = 1
}
