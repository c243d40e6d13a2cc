/** Tables as a terminal shows them. */
import type { Spread } from '../measuring/spread.ts'

export type Row = readonly (string | number)[]

export function titled(title: string, head: Row, rows: readonly Row[]): string {
  return rows.length === 0 ? '' : `${title}\n${aligned([head, ...rows])}`
}

function aligned(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
  const line = (row: Row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}

function pad(cell: string | number, width: number, column: number): string {
  return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width)
}

export function shown({ median, min, max }: Spread): string {
  return min === max ? `${median}` : `${median} (${min}-${max})`
}
