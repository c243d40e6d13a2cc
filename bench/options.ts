import { parseArgs } from 'node:util'

export const parts = ['journal', 'saga', 'claims', 'idle'] as const
export type Part = (typeof parts)[number]

export interface Options {
  readonly quick: boolean
  readonly parts: readonly Part[]
  /** Null: no record is kept. */
  readonly out: string | null
  readonly json: boolean
  /** A directory for CPU profiles of the coordinators, or null. */
  readonly profile: string | null
}

export const usage = `npm run bench [-- options]
  --quick            a smoke run of under half a minute; its figures mean little
  --only <parts>     ${parts.join(', ')}; several with commas
  --out <file>       where the record goes (a full run: bench/results/<date>-<machine>.json; others keep none)
  --json             print the record instead of the table
  --profile <dir>    write CPU profiles of the coordinators there; read one with: node bench/read-profile.ts <file>`

export function readOptions(args: readonly string[], defaultOut: string): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  })
  const { quick, only, out, json, profile = null } = values
  const isFull = !quick && only === undefined && profile === null
  return { quick, json, profile, parts: readParts(only), out: out ?? (isFull ? defaultOut : null) }
}

function readParts(only: string | undefined): readonly Part[] {
  if (only === undefined) return parts
  return only.split(',').map((name) => {
    const part = parts.find((one) => one === name.trim())
    if (part === undefined) throw new Error(`--only knows ${parts.join(', ')}, and not ${name}.`)
    return part
  })
}
