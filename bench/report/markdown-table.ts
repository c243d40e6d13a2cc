import type { Spread } from '../measuring/spread.ts'

export type Cell = string | number | null

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  if (rows.length === 0) return []
  const line = (cells: readonly Cell[]) => `| ${cells.map((cell) => cell ?? '–').join(' | ')} |`
  return [[line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')]
}

export function shown({ median }: Spread): string {
  return whole(median)
}

export function whole(value: number): string {
  return value.toLocaleString('en-US')
}
