/**
 * The travel agency books one trip: all of flight, hotel and payment, or nothing. It may die after it has held everything:
 * `npx node examples/03-tcc-booking/agency.ts <coordinator> <services> <id> <price> [dies]`.
 */
import { connect } from 'lockstep'

const [coordinatorUrl = '', servicesUrl = '', id = '', price = '', dies] = process.argv.slice(2)
/** All that the agency knows of the services: their names, and where they are. */
const [flight, hotel, payment] = ['trip.flight', 'trip.hotel', 'trip.payment'].map((name) => ({ name })) as [
  { name: string },
  { name: string },
  { name: string },
]
const coordinator = connect(coordinatorUrl, { services: { trip: { url: servicesUrl, barrier: true } } })

try {
  const outcome = await coordinator.tcc({ id, deadline: '3s', wait: '5s' }, async (t) => {
    await t.try(flight, { item: 'LS42', count: 1 })
    await t.try(hotel, { item: 'sea-view', count: 1 })
    await t.try(payment, { item: 'ann', count: Number(price) })
    // The power goes out between the last try and the decision.
    if (dies !== undefined) process.kill(process.pid, 'SIGKILL')
  })
  console.log(`${id}: ${outcome.status}`)
} catch (error) {
  console.log(`${id}: not booked. ${(error as Error).message}`)
}
await coordinator.close()
