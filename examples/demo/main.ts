/**
 * `npm start`: a thousand transfers between two banks, while one bank and the coordinator are killed with `kill -9`.
 *
 *   npm start                              stays up afterwards, so that you can look around
 *   npm start -- --once                    ends with exit code 0 only if every check held
 *   npm start -- --pattern tcc|message     the same transfers, made by another pattern than a saga
 *   npm start -- --databases postgres      one of the banks on a private PostgreSQL
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { oneOf, readOptions } from '../../tools/program-options.ts'
import { patterns } from '../bank/transfer.ts'
import { frozenIn, moneyIn } from '../bank/verdicts.ts'
import { audit, booksOf } from './audit.ts'
import { accounts, type Installation, install, openingBalance, type Part } from './installation.ts'
import { Screen } from './screen.ts'
import { Customers, planTransfers } from './transfers.ts'
import { words } from './words.ts'

const transfersInAll = 1_000
const atOnce = 16
const pauseMs = 1_500

const program = 'npm start'
const values = readOptions(program, {
  once: { type: 'boolean', default: false },
  pattern: { type: 'string', default: 'saga' },
  databases: { type: 'string', default: 'sqlite' },
})
const pattern = oneOf(program, 'pattern', values.pattern, patterns)
const databases = oneOf(program, 'databases', values.databases, ['sqlite', 'postgres'])

const stays = process.stdout.isTTY === true && !values.once
const screen = new Screen(process.stdout, transfersInAll, pattern)
const transfers = planTransfers(transfersInAll, pattern)
const installation = await install({ postgres: databases === 'postgres' })
let held = false
try {
  held = await run(installation)
  if (stays) await stayUp(installation)
} finally {
  await installation.close()
}
process.exit(held ? 0 : 1)

async function run({ coordinator, banks, url }: Installation): Promise<boolean> {
  screen.say(`Lockstep: ${transfersInAll} transfers between two banks (${databases}), with kill -9 in the middle.`)
  screen.say(words[pattern].what)
  await Promise.all([coordinator, ...banks].map((part) => part.start()))
  screen.say(
    `A coordinator and two banks are up as processes of their own; ${2 * accounts.length} accounts hold ${2 * accounts.length * openingBalance}.`,
  )
  const customers = new Customers({ coordinator: url, banks: new Map(banks.map((bank) => [bank.name, bank.url])) })
  const [bank] = banks
  const show = setInterval(() => void refresh(customers), 500)
  const work = customers.order(transfers, atOnce)
  if (bank !== undefined) await killAt({ customers, at: 0.3, part: bank, what: 'a bank' })
  await killAt({ customers, at: 0.6, part: coordinator, what: 'the coordinator' })
  await work
  clearInterval(show)
  await refresh(customers)
  return report(customers)
}

async function refresh({ tally }: Customers): Promise<void> {
  // A bank's database may be busy for a moment: the screen then keeps the last sum.
  const books = await booksOf(installation).catch(() => null)
  screen.show(tally, books === null ? null : { all: moneyIn(books), frozen: frozenIn(books) })
}

interface Kill {
  readonly customers: Customers
  /** Share of the transfers that have ended. */
  readonly at: number
  readonly part: Part
  readonly what: string
}

async function killAt({ customers, at, part, what }: Kill): Promise<void> {
  const { tally } = customers
  while (tally.committed + tally.rolledBack < transfersInAll * at) await sleep(10)
  await part.kill()
  screen.say(`kill -9 ${part.name} (${what}), with transfers on the way.`)
  await sleep(pauseMs)
  await part.start()
  screen.say(`${part.name} is started again.`)
}

async function report({ tally }: Customers): Promise<boolean> {
  const checks = await audit(installation, transfers)
  screen.say(words[pattern].ended(tally))
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
