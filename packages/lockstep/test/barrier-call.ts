/** Calls participants as a transport does, on any database that the tests have. */
import { memoryBarrier } from '../src/adapters/memory-database.ts'
import { nodeSqliteBarrier } from '../src/adapters/node-sqlite.ts'
import { pgBarrier } from '../src/adapters/pg.ts'
import { nodeEnvironment } from '../src/environment/node.ts'
import type { Json, Operation, Outcome, ParticipantDefinition, ParticipantSurroundings } from '../src/ports/index.ts'
import { silentLogger } from '../src/ports/index.ts'

const day = 86_400_000
const databases = [memoryBarrier(), nodeSqliteBarrier(), pgBarrier()]

export interface Called {
  readonly transaction?: string
  readonly branch?: string
  readonly begunAt?: number
  readonly logged?: string[]
}

export function surroundings({ logged = [] }: Pick<Called, 'logged'> = {}): ParticipantSurroundings {
  return {
    ...nodeEnvironment,
    databases,
    logger: { ...silentLogger, error: (_fields, message) => void logged.push(message) },
    barrierRetentionMs: 30 * day,
  }
}

export function call(
  definition: ParticipantDefinition,
  operation: Operation,
  input: Json,
  called: Called = {},
): Promise<Outcome> {
  const { transaction = 't1', branch = 'seat', begunAt = Date.now() } = called
  const facts = { store: '1f2e3d4c', transaction, branch, attempt: 1, begunAt, traceparent: null }
  return definition.run(operation, input, facts, surroundings(called))
}
