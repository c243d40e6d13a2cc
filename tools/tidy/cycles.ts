import { posix } from 'node:path'
import type { Finding, Source } from './source.ts'

/**
 * Import cycles among the given files. A type-only import counts: the reader goes round in a circle all the same.
 * Each cycle is reported once, at the file where the walk entered it.
 */
export function cycles(sources: readonly Source[]): Finding[] {
  const graph = new Map(sources.map((source) => [source.path, targets(source)]))
  const findings: Finding[] = []
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (path: string): void => {
    const start = trail.indexOf(path)
    if (start !== -1) findings.push(finding(trail.slice(start)))
    if (start !== -1 || done.has(path)) return
    trail.push(path)
    for (const next of graph.get(path) ?? []) if (graph.has(next)) visit(next)
    trail.pop()
    done.add(path)
  }
  for (const path of graph.keys()) visit(path)
  return findings
}

function targets(source: Source): string[] {
  return source.imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => posix.join(posix.dirname(source.path), specifier))
}

function finding(cycle: readonly string[]): Finding {
  const path = cycle[0] ?? ''
  return { path, line: 1, message: `import cycle: ${[...cycle, path].join(' → ')}` }
}
