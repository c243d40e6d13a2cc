/**
 * `npm start`: a thousand transfers between two banks, while one bank and the coordinator are killed with `kill -9`.
 *
 *   npm start                              stays up afterwards, so that you can look around
 *   npm start -- --once                    ends with exit code 0 only if every check held
 *   npm start -- --databases postgres      one of the banks on a private PostgreSQL
 */
import { readOptions } from '../../tools/program-options.ts'
import { audit, totalMoney } from './audit.ts'
import { accounts, type Installation, install, openingBalance, type Part } from './installation.ts'
import { Screen } from './screen.ts'
import { Initiator, planTransfers } from './transfers.ts'

const transfersInAll = 1_000
const atOnce = 16
const pauseMs = 1_500

const values = readOptions('npm start', {
  once: { type: 'boolean', default: false },
  databases: { type: 'string', default: 'sqlite' },
})
if (values.databases !== 'sqlite' && values.databases !== 'postgres') {
  console.error(`--databases must be sqlite or postgres, not ${values.databases}`)
  process.exit(2)
}

const stays = process.stdout.isTTY === true && !values.once
const screen = new Screen(process.stdout, transfersInAll)
const installation = await install({ postgres: values.databases === 'postgres' })
let held = false
try {
  held = await run(installation)
  if (stays) await stayUp(installation)
} finally {
  await installation.close()
}
process.exit(held ? 0 : 1)

async function run({ coordinator, banks, url }: Installation): Promise<boolean> {
  screen.say(
    `Lockstep: ${transfersInAll} transfers between two banks (${values.databases}), with kill -9 in the middle.`,
  )
  await Promise.all([coordinator, ...banks].map((part) => part.start()))
  screen.say(
    `A coordinator and two banks are up as processes of their own; ${2 * accounts.length} accounts hold ${2 * accounts.length * openingBalance}.`,
  )
  const initiator = new Initiator(url)
  const [bank] = banks
  const show = setInterval(() => void refresh(initiator), 500)
  const work = initiator.run(planTransfers(transfersInAll), atOnce)
  if (bank !== undefined) await killAt({ initiator, at: 0.3, part: bank, what: 'a bank' })
  await killAt({ initiator, at: 0.6, part: coordinator, what: 'the coordinator' })
  await work
  clearInterval(show)
  await refresh(initiator)
  return report(initiator)
}

async function refresh({ tally }: Initiator): Promise<void> {
  // A bank's database may be busy for a moment: the screen then keeps the last sum.
  const money = await totalMoney(installation).catch(() => null)
  screen.show(tally, money)
}

interface Kill {
  readonly initiator: Initiator
  /** Share of the transfers that have ended. */
  readonly at: number
  readonly part: Part
  readonly what: string
}

async function killAt({ initiator, at, part, what }: Kill): Promise<void> {
  const { tally } = initiator
  while (tally.committed + tally.rolledBack < transfersInAll * at) await sleep(10)
  await part.kill()
  screen.say(`kill -9 ${part.name} (${what}), with transfers on the way.`)
  await sleep(pauseMs)
  await part.start()
  screen.say(`${part.name} is started again.`)
}

async function report({ tally }: Initiator): Promise<boolean> {
  const checks = await audit(installation, transfersInAll)
  screen.say(
    `${tally.committed} committed, ${tally.rolledBack} rolled back because a bank refused, ${tally.held} held; ${tally.repeated} begins were repeated while the coordinator was away.`,
  )
  for (const check of checks) screen.say(`${check.held ? 'held  ' : 'BROKEN'}  ${check.name}: ${check.detail}`)
  const all = checks.every((check) => check.held) && tally.rolledBack > 0
  screen.say(
    all ? 'A bank and the coordinator were killed with kill -9 in the middle. Every check held.' : 'A CHECK IS BROKEN.',
  )
  return all
}

async function stayUp({ url }: Installation): Promise<void> {
  screen.settle()
  screen.say('\nIt stays up. Try, in another terminal (Ctrl-C ends it):')
  screen.say(`  npx lockstep list --url ${url} --limit 5`)
  screen.say(`  npx lockstep show transfer-3 --url ${url}`)
  screen.say(`  curl -s ${url}/v1/transactions?status=rolled-back`)
  // A signal ends this process, and the launcher's exit handler everything that it has started.
  await new Promise(() => setInterval(() => {}, 60_000))
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
