import { messageOf } from '../errors.ts'
import type {
  BarrierDatabase,
  Call,
  Environment,
  Logger,
  Outcome,
  ParticipantDefinition,
  ParticipantSurroundings,
  Transport,
} from '../ports/index.ts'
import { silentLogger } from '../ports/index.ts'
import type { Duration } from '../protocol/index.ts'
import { barrierRetentionMs, durationMs } from '../protocol/index.ts'
import { participantsByName } from './participants-by-name.ts'

export interface InProcessOptions {
  /** Check-backs too: they are called by the name of their service. */
  readonly participants: readonly ParticipantDefinition[]
  readonly environment: Environment
  readonly barrierDatabases: readonly BarrierDatabase[]
  readonly logger?: Logger
  /** How long the participants' databases keep barrier rows; 30 days unless given. */
  readonly barrierRetention?: Duration
}

/**
 * Calls participants of this process directly: same outcomes, same barrier, same time limit as over a network. The input
 * is a copy.
 */
export function inProcessTransport(options: InProcessOptions): Transport {
  const participants = participantsByName(options.participants)
  const { environment } = options
  const surroundings: ParticipantSurroundings = {
    clock: environment.clock,
    sha256: environment.sha256,
    databases: options.barrierDatabases,
    logger: options.logger ?? silentLogger,
    barrierRetentionMs: durationMs(options.barrierRetention ?? barrierRetentionMs, 'barrierRetention'),
  }
  let closed = false
  return {
    canCall: (target) => participants.has(target),
    endpointOf: (target) => `in-process:${target}`,
    close() {
      closed = true
      return Promise.resolve()
    },
    call(call) {
      const participant = participants.get(call.target)
      if (closed) return Promise.resolve({ kind: 'unknown', error: 'The transport is closed.', unreached: true })
      if (participant === undefined) {
        return Promise.resolve({
          kind: 'unknown',
          error: `This process has no participant ${call.target}.`,
          unreached: true,
        })
      }
      return callWithin(participant, call, environment, surroundings)
    },
  }
}

function callWithin(
  participant: ParticipantDefinition,
  call: Call,
  environment: Environment,
  surroundings: ParticipantSurroundings,
): Promise<Outcome> {
  const { store, transaction, branch, attempt, begunAt, traceparent } = call
  const abort = new AbortController()
  return new Promise((resolve) => {
    const timer = environment.timers.after(call.timeoutMs, () => {
      const error = `${call.target} ${call.operation} did not answer within ${call.timeoutMs} ms.`
      resolve({ kind: 'unknown', code: 'timeout', error })
      abort.abort()
    })
    const settle = (outcome: Outcome): void => {
      timer.cancel()
      resolve(outcome)
    }
    const context = { store, transaction, branch, attempt, begunAt, traceparent, signal: abort.signal }
    participant
      // A copy, as over a network: what the participant does to it must reach neither the next step nor the compensation.
      .run(call.operation, structuredClone(call.input), context, surroundings)
      .then(settle, (error: unknown) => settle({ kind: 'unknown', error: messageOf(error) }))
  })
}
