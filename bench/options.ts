import { parseArgs } from 'node:util'
import { type StoreKind, storeKinds } from './setting/stores.ts'

export const parts = ['journal', 'saga', 'tcc', 'message', 'undecided', 'claims', 'idle', 'locks'] as const
export type Part = (typeof parts)[number]

export interface Options {
  readonly quick: boolean
  readonly parts: readonly Part[]
  readonly stores: readonly StoreKind[]
  /** Null: no record is kept. */
  readonly out: string | null
  readonly json: boolean
  /** A directory for CPU profiles of the coordinators, or null. */
  readonly profile: string | null
  /** Instead of what the extent says; null leaves it. */
  readonly inFlight: readonly number[] | null
  readonly runs: number | null
  readonly seconds: number | null
  readonly messages: number | null
  readonly downSeconds: number | null
}

export const usage = `npm run bench [-- options]
  --quick            a smoke run of three minutes; its figures mean little
  --only <parts>     ${parts.join(', ')}; several with commas
  --stores <kinds>   ${storeKinds.join(', ')}; those that this machine has unless given
  --in-flight <list> saga, tcc, message: how many at once, such as 1,64
  --runs <n>         saga, tcc, message: runs of each
  --seconds <n>      saga, tcc, message: how long each run lasts
  --messages <n>     undecided: how many
  --down <n>         undecided: seconds without the producer
  --out <file>       where the record goes (a full run: bench/results/<date>-<machine>.json; others keep none)
  --json             print the record instead of the table
  --profile <dir>    write CPU profiles of the coordinators there; read one with: node bench/read-profile.ts <file>`

export function readOptions(args: readonly string[], defaultOut: string): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      stores: { type: 'string' },
      'in-flight': { type: 'string' },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      messages: { type: 'string' },
      down: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  })
  const { quick, only, stores, out, json, profile = null } = values
  const inFlight = values['in-flight']?.split(',').map((level) => readNumber('in-flight', level)) ?? null
  const limits = {
    runs: given('runs', values.runs),
    seconds: given('seconds', values.seconds),
    messages: given('messages', values.messages),
    downSeconds: given('down', values.down),
  }
  const isWhole = [only, stores, profile, inFlight, ...Object.values(limits)].every((value) => (value ?? null) === null)
  const isFull = !quick && isWhole
  return {
    quick,
    json,
    profile,
    inFlight,
    ...limits,
    parts: readNames('only', parts, only),
    stores: readNames('stores', storeKinds, stores),
    out: out ?? (isFull ? defaultOut : null),
  }
}

function given(name: string, text: string | undefined): number | null {
  return text === undefined ? null : readNumber(name, text)
}

function readNumber(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`--${name} takes numbers above 0, and not ${text}.`)
}

/** All of them where none is named. */
function readNames<Name extends string>(option: string, known: readonly Name[], text?: string): readonly Name[] {
  if (text === undefined) return known
  return text.split(',').map((given) => {
    const name = known.find((one) => one === given.trim())
    if (name === undefined) throw new Error(`--${option} knows ${known.join(', ')}, and not ${given}.`)
    return name
  })
}
