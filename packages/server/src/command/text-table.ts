import { printable } from './output.ts'

const cellCharactersMax = 80

/** Columns as wide as their widest cell; the last one runs free. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(cell))
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cell(text: string): string {
  const shown = printable(text === '' ? '-' : text)
  return shown.length > cellCharactersMax ? `${shown.slice(0, cellCharactersMax - 1)}…` : shown
}

/** How long ago, in the largest unit that still says something: `42s`, `10m`, `3h`, `2d`. */
export function ageOf(since: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(since)) / 1_000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}
