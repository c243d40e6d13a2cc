import { Pool } from 'undici'
import { LockstepError } from '../errors.ts'
import type { Environment } from '../ports/index.ts'
import { type Coordination, type Duration, durationMs } from '../protocol/index.ts'
import { type AddressSettings, readAddress } from './address.ts'
import { actCall, beginCall, decideCall, getCall, listCall, registerCall } from './calls.ts'
import { PatientCaller } from './patient-caller.ts'

export interface RemoteCoordinationOptions extends AddressSettings {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  /** How long a call that gets no answer is repeated, from its first failure on; 10 s unless given, 0 for a single try. */
  readonly patience?: Duration
  /** PEM of the authority that signed the coordinator's certificate. */
  readonly ca?: string
  /** Sockets to the coordinator, 128 unless given, and as many for calls that wait for an end; more calls wait their turn. */
  readonly connectionsMax?: number
  /** The longest answer that is read, 16 MiB unless given. */
  readonly answerBytesMax?: number
}

export interface RemoteCoordination extends Coordination {
  /** Ends the connections at once. Calls in flight fail, as unknown where they had left; later ones fail without being sent. */
  close(): Promise<void>
}

/**
 * A coordinator at the other end of a URL, with the methods of the embedded one.
 *
 * **Guarantees** that a call without an answer is repeated with the same id as long as `patience` lasts, and that an error says
 * `not-applied` only where nothing can have been applied.
 * **Does not guarantee** who began it: `replayed` is true as well when an earlier try of the same call did. A `waitMs` over 60,000 is
 * taken as 60,000. `by` of an action is not sent: the server knows by the key who acts.
 * Fails with the codes of the embedded coordinator, with `LOCKSTEP_UNREACHABLE` where nothing that speaks Lockstep answered, and with
 * `LOCKSTEP_CONFIGURATION` for options that make no sense.
 * After a crash of this process the same call with the same id is answered with what is so.
 *
 * @example
 * const coordinator = remoteCoordination({ url: 'http://127.0.0.1:4600', environment })
 * const { transaction } = await coordinator.begin({ id: 'pay-7', pattern: 'tcc' })
 */
export function remoteCoordination(options: RemoteCoordinationOptions): RemoteCoordination {
  const { environment, patience = 10_000 } = options
  const address = readAddress(options)
  const patienceMs = durationMs(patience, 'patience')
  const answerBytesMax = positive('answerBytesMax', options.answerBytesMax ?? 16_777_216)
  const connections = positive('connectionsMax', options.connectionsMax ?? 128)
  const dispatcher = openPool(address.origin, connections, options.ca)
  const waiting = openPool(address.origin, connections, options.ca)
  const caller = new PatientCaller({ address, dispatcher, waiting, environment, patienceMs, answerBytesMax })
  // Async, so that what is refused before it is sent rejects like everything else.
  return {
    begin: async (body, { traceparent } = {}) => caller.ask(beginCall(body, traceparent)),
    register: async (id, branch) => caller.ask(registerCall(id, branch)),
    decide: async (id, decision, { waitMs } = {}) => caller.ask(decideCall(id, decision, waitMs)),
    get: async (id, { waitMs } = {}) => caller.ask(getCall(id, waitMs)),
    list: async (filter = {}) => caller.ask(listCall(filter)),
    act: async (id, request) => caller.ask(actCall(id, request)),
    async close() {
      caller.close()
      const closed = new Error('the client was closed')
      await Promise.all([dispatcher.destroy(closed), waiting.destroy(closed)])
    },
  }
}

/** Zero would be no bound at all. */
function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: `${name} must be a whole number from 1 on.` })
}

function openPool(origin: string, connections: number, ca: string | undefined): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 10_000,
    // Each try has one deadline for the whole of it, which is stricter than these two.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000, ...(ca === undefined ? {} : { ca }) },
  })
}
