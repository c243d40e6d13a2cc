/**
 * Three trips: one is booked, one is refused because the money is not there, one loses its agency after everything is held. Run it with
 * `npx node examples/03-tcc-booking/booking.ts` after `npm run build`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { freePorts } from '@lockstep/testkit'
import { connect } from 'lockstep'
import { answers, ended, start, startCoordinator, stop } from '../processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'lockstep-booking-'))
const [coordinatorPort = 0, servicesPort = 0] = await freePorts(2)
const urls = [coordinatorPort, servicesPort].map((port) => `http://127.0.0.1:${port}`) as [string, string]
const [coordinatorUrl, servicesUrl] = urls
const servicesFile = join(folder, 'services.json')
writeFileSync(servicesFile, JSON.stringify({ trip: { url: servicesUrl, barrier: true } }))

const services = start('03-tcc-booking/services.ts', [String(servicesPort), folder])
const server = startCoordinator(coordinatorPort, folder, servicesFile)
await Promise.all(urls.map(answers))
const coordinator = connect(coordinatorUrl)

/** Free, held and taken of each service, as its own database has it. */
function show(when: string): void {
  const rows = ['flight', 'hotel', 'payment'].map((name) => {
    const database = new DatabaseSync(join(folder, `${name}.db`), { readOnly: true })
    const row = database.prepare('select free, held, taken from stock').get()
    database.close()
    return `${name} ${row?.['free']}/${row?.['held']}/${row?.['taken']}`
  })
  console.log(`  ${when}: free/held/taken: ${rows.join(', ')}`)
}

const book = (id: string, price: number, dies: readonly string[] = []) =>
  ended(start('03-tcc-booking/agency.ts', [...urls, id, String(price), ...dies]))

show('at first')
await book('trip-1', 400)
show('trip-1 is booked')
await book('trip-2', 5_000)
await coordinator.get('trip-2', { waitMs: 20_000 })
show('trip-2 cannot be paid: flight and hotel are free again')
console.log(`trip-3: its agency ended by ${await book('trip-3', 400, ['dies'])}, with everything held`)
show('nobody decides trip-3')
const trip = await coordinator.get('trip-3', { waitMs: 20_000 })
console.log(`trip-3: ${trip?.status}, because of ${JSON.stringify(trip?.reason?.body)}`)
show('the deadline has cancelled it')

await coordinator.close()
await Promise.all([stop(server), stop(services)])
rmSync(folder, { recursive: true, force: true })
