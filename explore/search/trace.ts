import type { Move } from '../model/world.ts'

/** A trace in lines. Owners are named by their epoch, which the states themselves do not know. */
export function linesOf(trace: readonly Move[]): string[] {
  let current = 1
  let stale = 0
  let former: Move | null = null
  const lines: string[] = []
  for (const [at, move] of trace.entries()) {
    const names = { current: `owner ${current}`, stale: `owner ${stale}`, next: `owner ${current + 1}` }
    const text = move.text.replace(/\{(current|stale|next)\}/g, (_, name: keyof typeof names) => names[name])
    lines.push(`${String(at + 1).padStart(4)}  ${text}`)
    if (move.claims === true) {
      if (move.stale !== (former?.stale ?? null)) stale = current
      current += 1
    }
    former = move
  }
  const last = trace.at(-1)
  if (last !== undefined) lines.push(`      the row is then ${last.row.shape.spoken}`)
  return lines
}
