import { type Clock, RedisCallError, type RedisConnection, type RedisReply } from '../../ports/index.ts'

/** What a server says of itself. */
export interface ServerFacts {
  /** Another one after every restart. */
  readonly runId: string
  /** On this process's monotonic clock. Whole seconds, so at the latest then. */
  readonly upSinceMs: number
  /** `appendonly yes` and `appendfsync always`: what it has answered outlives its crash. */
  readonly syncsEveryWrite: boolean
}

export async function readServer(connection: RedisConnection, clock: Clock, timeoutMs: number): Promise<ServerFacts> {
  const askedMs = clock.monotonicMs()
  const [info, isOn, sync] = await Promise.all([
    connection.command(['INFO', 'server'], { timeoutMs }),
    setting(connection, 'appendonly', timeoutMs),
    setting(connection, 'appendfsync', timeoutMs),
  ])
  const uptimeMs = Number(fieldOf(info, 'uptime_in_seconds') ?? 0) * 1_000
  return {
    runId: fieldOf(info, 'run_id') ?? '',
    upSinceMs: askedMs - uptimeMs,
    syncsEveryWrite: isOn === 'yes' && sync === 'always',
  }
}

/** Null where CONFIG is forbidden: then nothing is assumed. */
async function setting(connection: RedisConnection, name: string, timeoutMs: number): Promise<string | null> {
  try {
    const reply = await connection.command(['CONFIG', 'GET', name], { timeoutMs })
    return Array.isArray(reply) ? String(reply[1]) : null
  } catch (error) {
    if (error instanceof RedisCallError && error.failure === 'refused') return null
    throw error
  }
}

function fieldOf(info: RedisReply, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(String(info))?.[1]
}
