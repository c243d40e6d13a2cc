/** What those who write a lock backend need besides its port: the drift of a lease, the wait of an ask, what is under way at the close, and the error after it. */
export { locksClosed } from './locks-closed.ts'
export { Patience, type PatienceOptions } from './patience.ts'
export { Underway } from './underway.ts'
export { validUntil } from './valid-until.ts'
