/** What those who write a lock backend need besides its port: the drift of a lease, the wait of an ask, and the error after `close()`. */
export { locksClosed } from './locks-closed.ts'
export { Patience, type PatienceOptions } from './patience.ts'
export { validUntil } from './valid-until.ts'
