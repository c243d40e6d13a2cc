import { openStores } from './setting/stores.ts'
import { measureJournal } from './journal/measure-journal.ts'
const stores = await openStores()
console.log(JSON.stringify(await measureJournal(stores, { runs: 3, batches: 60 }), null, 1))
await stores.close()
