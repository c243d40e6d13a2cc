import { patternOf } from '../patterns/patterns.ts'
import { judgeLocks } from './locks-targets.ts'
import type { Figures, Target } from './record.ts'

export const journalRatioMin = 0.5
/** A thousand messages a second come back to a dead endpoint, each with a claim and a write; some more for what comes too early. */
export const crowdRowWritesMax = 2_200
/** A machine that stands still for 100 ms makes the journal write a step's result by itself. */
const commitsTolerance = 0.02

export function judge(figures: Figures): Target[] {
  const { journal = [], claims = [] } = figures
  const ratios = journal.map(({ store, write, ratio }) => ({
    target: `journal at least ${journalRatioMin} of raw, ${store}, ${write}`,
    met: ratio >= journalRatioMin,
    value: String(ratio),
    kind: 'ratio' as const,
  }))
  return [
    ...ratios,
    ...judgeAlone(figures),
    ...judgeCommits(figures),
    ...judgeCrowd(figures),
    ...judgeClaims(claims),
    ...judgeLocks(figures),
  ]
}

/** Each transaction by itself, so there is nothing to tolerate. */
function judgeAlone({ alone = [] }: Figures): Target[] {
  return alone.map(({ pattern, store, waited, local }) => {
    const most = patternOf(pattern).commitsAlone
    const ofLocal = most.local === 0 ? '' : ` and ${most.local} of its own`
    return {
      target: `a ${pattern} alone waits for at most ${most.waited} commits${ofLocal}, ${store}`,
      met: waited <= most.waited && local <= most.local,
      value: most.local === 0 ? String(waited) : `${waited} and ${local}`,
      kind: 'count',
    }
  })
}

function judgeCommits({ inProcess = [], http = [] }: Figures): Target[] {
  const inside = inProcess
    .filter(({ participants, inFlight }) => participants !== 'none' && inFlight === 1)
    .map((one) => toTheEnd(one.pattern, one.commits, `in process, ${one.store}, barrier ${one.participants}`))
  const outside = http
    .filter(({ inFlight }) => inFlight === 1)
    .flatMap((one) => {
      const where = `over HTTP, ${one.store}, ${one.client}`
      const counted = toTheEnd(one.pattern, one.commits - othersMax, `${where}, by the database's count`)
      return one.rowWrites === null
        ? [counted]
        : [counted, toTheEnd(one.pattern, one.rowWrites, `${where}, row writes`)]
    })
  return [...inside, ...outside]
}

/** Of the database's own count: heartbeats and claims commit as well, and a slow run has few transactions to share them. */
const othersMax = 0.9

function toTheEnd(pattern: Parameters<typeof patternOf>[0], value: number, where: string): Target {
  const { all } = patternOf(pattern).commitsAlone
  return {
    target: `${all} durable commits per ${pattern} alone, ${where}`,
    met: value <= all + commitsTolerance,
    value: String(Number(value.toFixed(2))),
    kind: 'count',
  }
}

function judgeCrowd({ undecided = [] }: Figures): Target[] {
  return undecided.flatMap(({ store, messages, down, recovery }) => [
    {
      target: `${messages} undecided cost at most ${crowdRowWritesMax} row writes a second, ${store}`,
      met: down.rowWrites <= crowdRowWritesMax,
      value: String(down.rowWrites),
      kind: 'rate',
    },
    {
      target: `${messages} undecided are all through when the producer is back, ${store}`,
      met: recovery.complete,
      value: `${recovery.decidedPerSecond}/s`,
      kind: 'rate',
    },
  ])
}

function judgeClaims(claims: NonNullable<Figures['claims']>): Target[] {
  return [...new Set(claims.map(({ store }) => store))].map((store) => {
    const figures = claims.filter((one) => one.store === store)
    const sizes = figures.map(({ stored }) => stored)
    const rows = new Set(figures.map(({ rowsRead }) => rowsRead))
    const met = rows.size === 1 && figures.every(({ byIndex }) => byIndex)
    const read = [...rows].map((count) => (count === null ? 'by the due indexes only' : `${count} rows`))
    const target = `a claim reads the same with ${sizes.join(' and ')} stored, ${store}`
    return { target, met, value: read.join(', '), kind: 'count' }
  })
}
