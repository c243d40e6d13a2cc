import { silenceSqliteWarning } from './sqlite-warning.ts'

// Loading node:sqlite is what warns, and static imports load first.
silenceSqliteWarning()
const { listen } = await import('./worker-loop.ts')
listen()
