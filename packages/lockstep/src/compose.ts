/**
 * Where the library's parts meet: the patterns, the transports, the kinds of database that the barrier knows, and this process's
 * clock. The only file of the library that names concrete adapters.
 */
import { nodeSqliteBarrier } from './adapters/node-sqlite.ts'
import { pgBarrier } from './adapters/pg.ts'
import { Coordinator } from './coordinator/coordinator.ts'
import { nodeEnvironment } from './environment/node.ts'
import type { LockstepError } from './errors.ts'
import type {
  BarrierDatabase,
  Environment,
  Logger,
  Pattern,
  PatternMachine,
  TransactionStore,
  Transport,
} from './ports/index.ts'
import { silentLogger } from './ports/index.ts'
import type { ParticipantDefinition } from './ports/participant.ts'
import { type Duration, barrierRetentionMs as defaultBarrierRetentionMs, durationMs } from './protocol/index.ts'
import { sagaPattern } from './transactions/saga/index.ts'
import {
  httpTransport,
  inProcessTransport,
  type ParticipantHandler,
  participantHandler,
  routingTransport,
  type ServiceSettings,
  targetDirectory,
} from './transports/index.ts'

/** Database handles that `branch.transact` accepts. */
export const barrierDatabases: readonly BarrierDatabase[] = [pgBarrier(), nodeSqliteBarrier()]

const machines: ReadonlyMap<Pattern, PatternMachine> = new Map([[sagaPattern.pattern, sagaPattern]])

export interface CoordinatorOptions {
  readonly store: TransactionStore
  /** Participants of this process, called without a network. */
  readonly participants?: readonly ParticipantDefinition[]
  /** Participants of other processes: the part of their name before the dot, and where it is served. */
  readonly services?: Readonly<Record<string, ServiceSettings>>
  /** `registered`, unless given, refuses URLs that lie under no registered service; `any` is for development on loopback. */
  readonly urls?: 'any' | 'registered'
  readonly logger?: Logger
  /** Transactions at work plus entries waiting for the store, 10,000 unless given; beyond it `LOCKSTEP_BUSY`. */
  readonly intake?: number
  /** How long finished transactions keep their details (7 days), and their ids (31 days; at least as long as barriers remember). */
  readonly retention?: { readonly finished?: Duration; readonly ids?: Duration }
  /** How long the participants' databases keep barrier rows; 30 days unless given. */
  readonly barrierRetention?: Duration
  /** The disk failed and the coordinator has stopped. */
  readonly onFailed?: (error: LockstepError) => void
  /** Clock, timers, randomness and hash; a simulator brings its own. */
  readonly environment?: Environment
  /** Further kinds of database for the barrier. */
  readonly databases?: readonly BarrierDatabase[]
  /** Another way for calls to travel, instead of in process and HTTP; a simulator brings its own. */
  readonly transport?: Transport
}

/**
 * A coordinator inside this process. Call `start` before anything else and `stop` before the process ends.
 *
 * **Guarantees** see {@link Coordinator}. **Does not guarantee** that the process survives: after a crash, start it again on the same
 * store.
 * Fails with `LOCKSTEP_CONFIGURATION` for settings that make no sense.
 *
 * @example
 * const coordinator = createCoordinator({ store: sqliteStore({ path: 'lockstep.db' }), participants: [debit, credit] })
 * await coordinator.start()
 */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { store, participants = [], logger = silentLogger, environment = nodeEnvironment, intake = 10_000 } = options
  const services = new Map(Object.entries(options.services ?? {}))
  const { urls = 'registered', onFailed } = options
  const databases = [...(options.databases ?? []), ...barrierDatabases]
  const remembers = options.barrierRetention === undefined ? {} : { barrierRetention: options.barrierRetention }
  const inProcess = () =>
    inProcessTransport({ participants, environment, barrierDatabases: databases, logger, ...remembers })
  const transport = options.transport ?? routingTransport([inProcess(), httpTransport({ services, urls, environment })])
  return new Coordinator({
    store,
    transport,
    targets: targetDirectory({ participants, services, urls }),
    services: [
      ...new Set([...services.keys(), ...participants.map((one) => one.name.slice(0, one.name.indexOf('.')))]),
    ].sort(),
    machines,
    environment,
    logger,
    intakeMax: intake,
    retention: retentionOf(options),
    ...(onFailed === undefined ? {} : { onFailed }),
  })
}

/** Law 2: an id outlives the barrier's memory of it, or it could come back as another transaction and be told an old answer. */
function retentionOf({ retention = {}, barrierRetention = defaultBarrierRetentionMs }: CoordinatorOptions): {
  finishedMs: number
  idsMs: number
} {
  const finishedMs = durationMs(retention.finished ?? '7d', 'retention.finished', { minMs: 1_000 })
  const minMs = Math.max(durationMs(barrierRetention, 'barrierRetention'), finishedMs)
  return { finishedMs, idsMs: durationMs(retention.ids ?? '31d', 'retention.ids', { minMs }) }
}

export interface HandlerOptions {
  readonly participants: readonly ParticipantDefinition[]
  /** Path under which the handler is mounted; `/` unless given. */
  readonly base?: string
  /** Secrets (`whsec_…`) of which one must have signed each call. */
  readonly secrets?: readonly string[]
  readonly logger?: Logger
  readonly databases?: readonly BarrierDatabase[]
  /** How long this service's databases keep barrier rows; 30 days unless given. */
  readonly barrierRetention?: Duration
}

/**
 * What a service mounts so that a coordinator can call its participants: a `Request → Response` function for Hono and others, and with
 * `nodeListener` for `node:http`.
 *
 * @example
 * createServer(nodeListener(createHandler({ participants: [debit, credit] }))).listen(4701)
 */
export function createHandler(options: HandlerOptions): ParticipantHandler {
  const { participants, logger = silentLogger, base, secrets, barrierRetention } = options
  return participantHandler({
    participants,
    environment: nodeEnvironment,
    barrierDatabases: [...(options.databases ?? []), ...barrierDatabases],
    logger,
    ...(base === undefined ? {} : { base }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(barrierRetention === undefined ? {} : { barrierRetention }),
  })
}
