/**
 * Where the library's parts meet: the patterns, the transports, the kinds of database that the barrier knows, and this process's
 * clock. The only file of the library that names concrete adapters.
 */
import { nodeSqliteBarrier } from './adapters/node-sqlite.ts'
import { pgBarrier } from './adapters/pg.ts'
import {
  logAlerts,
  type WebhookAlerts,
  type WebhookAlertsOptions,
  webhookAlerts as webhookOver,
} from './alerts/index.ts'
import { remoteCoordination } from './client/index.ts'
import { Coordinator } from './coordinator/coordinator.ts'
import {
  diagnosticsChannel,
  nodeAsyncContext,
  nodeEnvironment,
  openAbortController,
  reportThrown,
  thisProcess,
} from './environment/node.ts'
import { LockstepError } from './errors.ts'
import { type LockEvent, Locks, logLockEvent, type ObserveLocks } from './locks/index.ts'
import { type Branch, localBranch } from './participant/index.ts'
import type {
  Alerts,
  BarrierDatabase,
  CheckBackDefinition,
  Environment,
  Logger,
  OpenLockBackend,
  ParticipantSurroundings,
  Pattern,
  PatternMachine,
  TransactionStore,
  Transport,
} from './ports/index.ts'
import { silentLogger } from './ports/index.ts'
import type { ParticipantDefinition } from './ports/participant.ts'
import {
  type Coordination,
  type Duration,
  barrierRetentionMs as defaultBarrierRetentionMs,
  durationMs,
} from './protocol/index.ts'
import { type Initiator, initiatorOver } from './transactions/initiator.ts'
import { messagePattern } from './transactions/message/index.ts'
import { sagaPattern } from './transactions/saga/index.ts'
import { tccPattern } from './transactions/tcc/index.ts'
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

const machines: ReadonlyMap<Pattern, PatternMachine> = new Map(
  [sagaPattern, tccPattern, messagePattern].map((machine) => [machine.pattern, machine]),
)

/** What a service is to its coordinator, embedded or not: whom it calls, and what it knows of its own. */
interface ServiceOptions {
  /** Participants of this process, called without a network. */
  readonly participants?: readonly ParticipantDefinition[]
  /** Tells what became of the local transactions of this service's messages; `send` names it unless told otherwise. */
  readonly checkBack?: CheckBackDefinition
  /** Participants of other processes: the part of their name before the dot, and where it is served. */
  readonly services?: Readonly<Record<string, ServiceSettings>>
  /** `registered`, unless given, refuses URLs that lie under no registered service; `any` is for development on loopback. */
  readonly urls?: 'any' | 'registered'
  readonly logger?: Logger
  /** How long the participants' databases keep barrier rows; 30 days unless given. */
  readonly barrierRetention?: Duration
  /** Clock, timers, randomness and hash; a simulator brings its own. */
  readonly environment?: Environment
  /** Further kinds of database for the barrier. */
  readonly databases?: readonly BarrierDatabase[]
  /** Another way for calls to travel, instead of in process and HTTP; a simulator brings its own. */
  readonly transport?: Transport
}

export interface CoordinatorOptions extends ServiceOptions {
  readonly store: TransactionStore
  /** Transactions at work plus entries waiting for the store, 10,000 unless given; beyond it `LOCKSTEP_BUSY`. */
  readonly intake?: number
  /** How long finished transactions keep their details (7 days), and their ids (31 days; at least as long as barriers remember). */
  readonly retention?: { readonly finished?: Duration; readonly ids?: Duration }
  /** Who is told about old, undecided and held work; a log line unless given. */
  readonly alerts?: Alerts
  /** The disk failed and the coordinator has stopped. */
  readonly onFailed?: (error: LockstepError) => void
}

/** A coordinator in this process, with everything a service does with one. */
export type EmbeddedCoordinator = Coordinator & Initiator<Branch>

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
export function createCoordinator(options: CoordinatorOptions): EmbeddedCoordinator {
  const { store, logger = silentLogger, environment = nodeEnvironment, intake = 10_000, onFailed } = options
  const { participants, services, urls } = partsOf(options)
  const transport = transportOf(options)
  const coordinator = new Coordinator({
    store,
    transport,
    targets: targetDirectory({ participants, services, urls }),
    services: [...new Set([...services.keys(), ...participants.map(serviceOf)])].sort(),
    machines,
    environment,
    logger,
    alerts: options.alerts ?? logAlerts(logger),
    intakeMax: intake,
    retention: retentionOf(options),
    barrierRetentionMs: memoryOf(options),
    ...(onFailed === undefined ? {} : { onFailed }),
  })
  return Object.assign(coordinator, initiatorOf(coordinator, transport, options))
}

export interface ConnectOptions extends ServiceOptions {
  /** Sent as a bearer token. */
  readonly key?: string
  /** Sent with every call to the coordinator. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long a call that gets no answer is repeated; 10 s unless given. */
  readonly patience?: Duration
  /** PEM of the authority that signed the coordinator's certificate. */
  readonly ca?: string
  /** Sockets to the coordinator, 128 unless given, and as many for calls that wait for an end. */
  readonly connectionsMax?: number
}

/** A coordinator elsewhere, with the methods of the embedded one. */
export interface RemoteCoordinator extends Coordination, Initiator<Branch> {
  rollback: Coordinator['rollback']
  /** Ends its connections; what is decided goes on without it. */
  close(): Promise<void>
}

/**
 * A coordinator that runs elsewhere. Nothing is sent before the first call.
 *
 * **Guarantees** that a begin, a registration or a decision without an answer is repeated under the same id, and that an error says
 * `unknown` where it may have happened.
 * **Does not guarantee** an answer: after `patience` it fails with `LOCKSTEP_UNREACHABLE` and the id; call it again.
 * Fails with `LOCKSTEP_CONFIGURATION` for settings that make no sense.
 *
 * @example
 * const coordinator = connect('http://127.0.0.1:4600', { services: { seats: { url: 'http://127.0.0.1:4701' } } })
 * await coordinator.tcc({ id: 'trip-7' }, (t) => t.try(seats.hold, { flight: 'LH1', seat: '4A' }))
 */
export function connect(url: string, options: ConnectOptions = {}): RemoteCoordinator {
  const { environment = nodeEnvironment, key, headers, patience, ca, connectionsMax } = options
  const given = Object.entries({ key, headers, patience, ca, connectionsMax }).filter(
    ([, value]) => value !== undefined,
  )
  const coordination = remoteCoordination({ url, environment, ...Object.fromEntries(given) })
  const transport = transportOf(options)
  return {
    ...coordination,
    ...initiatorOf(coordination, transport, options),
    rollback: (id, wait) => coordination.decide(id, 'rollback', wait),
    close: async () => {
      await Promise.all([coordination.close(), transport.close()])
    },
  }
}

function partsOf({ participants = [], checkBack, services, urls = 'registered' }: ServiceOptions) {
  return {
    participants: checkBack === undefined ? participants : [...participants, checkBack],
    services: new Map(Object.entries(services ?? {})),
    urls,
  }
}

/** A check-back is called by the name of its service alone. */
function serviceOf({ name }: ParticipantDefinition): string {
  return name.split('.', 1)[0] ?? name
}

function transportOf(options: ServiceOptions): Transport {
  if (options.transport !== undefined) return options.transport
  const { environment = nodeEnvironment, logger = silentLogger, barrierRetention } = options
  const { participants, services, urls } = partsOf(options)
  const remembers = barrierRetention === undefined ? {} : { barrierRetention }
  const barrier = { barrierDatabases: databasesOf(options), logger, ...remembers }
  return routingTransport([
    inProcessTransport({ participants, environment, ...barrier }),
    httpTransport({ services, urls, environment }),
  ])
}

function databasesOf({ databases = [] }: Pick<ServiceOptions, 'databases'>): readonly BarrierDatabase[] {
  return [...databases, ...barrierDatabases]
}

function initiatorOf(coordination: Coordination, transport: Transport, options: ServiceOptions): Initiator<Branch> {
  const { environment = nodeEnvironment, logger = silentLogger, checkBack } = options
  const surroundings: ParticipantSurroundings = {
    clock: environment.clock,
    sha256: environment.sha256,
    databases: databasesOf(options),
    logger,
    barrierRetentionMs: memoryOf(options),
  }
  return initiatorOver<Branch>({
    coordination,
    transport,
    environment,
    timeOf: (iso) => Date.parse(iso),
    checkBack: checkBack ?? null,
    openLocal: (facts) => localBranch({ ...facts, traceparent: null, surroundings }),
  })
}

/** Law 2: an id outlives the barrier's memory of it, or it could come back as another transaction and be told an old answer. */
function retentionOf(options: CoordinatorOptions): { finishedMs: number; idsMs: number } {
  const { retention = {} } = options
  const finishedMs = durationMs(retention.finished ?? '7d', 'retention.finished', { minMs: 1_000 })
  const minMs = Math.max(memoryOf(options), finishedMs)
  return { finishedMs, idsMs: durationMs(retention.ids ?? '31d', 'retention.ids', { minMs }) }
}

function memoryOf({ barrierRetention = defaultBarrierRetentionMs }: ServiceOptions): number {
  return durationMs(barrierRetention, 'barrierRetention')
}

export type WebhookOptions = Omit<WebhookAlertsOptions, 'environment'> & { readonly environment?: Environment }

/**
 * Posts alerts as JSON to a URL, signed when there is a secret: for `alerts` of {@link createCoordinator}. Close it after the coordinator.
 *
 * @example
 * const hook = webhookAlerts({ url: 'https://ops.example/lockstep', logger })
 * const coordinator = createCoordinator({ store, alerts: alertsTo([logAlerts(logger), hook]) })
 */
export function webhookAlerts(options: WebhookOptions): WebhookAlerts {
  return webhookOver({ environment: nodeEnvironment, ...options })
}

export interface HandlerOptions {
  readonly participants: readonly ParticipantDefinition[]
  /** Answers `POST <base>/_check`: what became of the local transactions of this service's messages. */
  readonly checkBack?: CheckBackDefinition
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
  const { participants, logger = silentLogger, base, secrets, barrierRetention, checkBack } = options
  return participantHandler({
    participants,
    environment: nodeEnvironment,
    barrierDatabases: databasesOf(options),
    logger,
    ...(checkBack === undefined ? {} : { checkBack }),
    ...(base === undefined ? {} : { base }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(barrierRetention === undefined ? {} : { barrierRetention }),
  })
}

export interface LocksOptions {
  readonly logger?: Logger
  /** Told of every grant, renewal, loss and release: for metrics and spans. Also published as `lockstep:lock` on node:diagnostics_channel. */
  readonly observe?: ObserveLocks
  /**
   * Added to every token, at or above the largest that was ever given: for a change of backend or of RedLock's nodes, and after ZooKeeper was
   * restored from a backup. 0 unless given.
   */
  readonly tokenOffset?: bigint
  /** A simulator brings its own. */
  readonly environment?: Environment
}

/**
 * Locks over a backend, one object for each backend and process. Nothing is sent before the first call.
 *
 * **Guarantees** and what it does not guarantee: see {@link Locks}.
 *
 * @example
 * const locks = createLocks(redisLocks(ioRedis(redis)))
 * await locks.withLock('sku-42', async (lease) => { … })
 */
export function createLocks(open: OpenLockBackend, options: LocksOptions = {}): Locks {
  const { logger = silentLogger, observe, tokenOffset = 0n, environment = nodeEnvironment } = options
  const diagnostics = diagnosticsChannel('lockstep:lock')
  const lockEnvironment = { ...environment, log: logger }
  if (typeof tokenOffset !== 'bigint' || tokenOffset < 0n)
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `tokenOffset must be a bigint from 0n, but is ${String(tokenOffset)}.`,
    })
  return new Locks({
    backend: open(lockEnvironment),
    environment: lockEnvironment,
    context: nodeAsyncContext(),
    closing: openAbortController(),
    holder: { ...thisProcess, label: '' },
    tokenOffset,
    observe(event: LockEvent) {
      // Who listens must not be able to break a lock.
      try {
        logLockEvent(logger, event)
        if (diagnostics.isHeard) diagnostics.publish(event)
        observe?.(event)
      } catch (error) {
        reportThrown(error)
      }
    },
  })
}
