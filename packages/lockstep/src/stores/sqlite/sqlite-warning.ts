/** Node 22 calls SQLite experimental on every start. That one warning is dropped in this thread; all others pass. */
export function silenceSqliteWarning(): void {
  const emit = process.emitWarning.bind(process) as (...values: unknown[]) => void
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    const [type] = rest
    const name = typeof type === 'string' ? type : (type as { type?: string } | undefined)?.type
    if (name === 'ExperimentalWarning' && String(warning).startsWith('SQLite is an experimental feature')) return
    emit(warning, ...rest)
  }
}
