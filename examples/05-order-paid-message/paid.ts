/**
 * Three orders are paid: one quietly; one whose service is killed right after its local commit, before it could tell the coordinator; one
 * whose service is killed inside its local transaction. Points follow exactly the orders that are paid. Run it with
 * `npx node examples/05-order-paid-message/paid.ts` after `npm run build`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { freePorts } from '@lockstep/testkit'
import { connect } from 'lockstep'
import { answers, ended, start, startCoordinator, stop } from '../processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'lockstep-paid-'))
const [coordinatorPort = 0, ordersPort = 0, pointsPort = 0] = await freePorts(3)
const url = (port: number) => `http://127.0.0.1:${port}`
const servicesFile = join(folder, 'services.json')
const registered = {
  orders: { url: url(ordersPort), barrier: true },
  points: { url: url(pointsPort), barrier: true },
}
writeFileSync(servicesFile, JSON.stringify(registered))

const server = startCoordinator(coordinatorPort, folder, servicesFile)
const points = start('05-order-paid-message/points.ts', [String(pointsPort), folder])
const startOrders = () => start('05-order-paid-message/orders.ts', [String(ordersPort), folder, url(coordinatorPort)])
let orders = startOrders()
const coordinator = connect(url(coordinatorPort))
await Promise.all([coordinatorPort, ordersPort, pointsPort].map(url).map(answers))

async function pay(order: string, dies = ''): Promise<void> {
  const answer = await fetch(`${url(ordersPort)}/pay?order=${order}${dies === '' ? '' : `&dies=${dies}`}`).catch(
    () => null,
  )
  if (answer === null) {
    console.log(`order ${order}: the orders service ended by ${await ended(orders)} (${dies})`)
    orders = startOrders()
    await answers(url(ordersPort))
  }
  const message = await coordinator.get(`paid-${order}`, { waitMs: 30_000 })
  const check = message?.branches.find(({ name }) => name === '_local')?.attempts.at(-1)
  const decidedBy = check === undefined ? 'by its producer' : `by check-back ${check.number}`
  console.log(`order ${order}: message ${message?.status}, decided ${decidedBy}`)
}

await pay('1')
await pay('2', 'after-commit')
await pay('3', 'before-commit')

const read = (name: string, sql: string) => new DatabaseSync(join(folder, name), { readOnly: true }).prepare(sql).all()
const paid = read('orders.db', 'select id from paid order by id').map(({ id }) => id)
const [ann] = read('points.db', 'select points from points')
console.log(`orders ${paid.join(' and ')} are paid; ann has ${ann?.['points']} points`)

await coordinator.close()
await Promise.all([stop(orders), stop(points), stop(server)])
rmSync(folder, { recursive: true, force: true })
