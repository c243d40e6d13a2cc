import type { Figures, Target } from './record.ts'

export const journalRatioMin = 0.5
export const commitsAlone = 2
/** A machine that stands still for 100 ms makes the journal write a step's result by itself. */
const commitsTolerance = 0.02

export function judge({ journal = [], inProcess = [], http = [], claims = [] }: Figures): Target[] {
  const ratios = journal.map(({ store, write, ratio }) => ({
    target: `journal at least ${journalRatioMin} of raw, ${store}, ${write}`,
    met: ratio >= journalRatioMin,
    value: String(ratio),
    kind: 'ratio' as const,
  }))
  const withBarrier = inProcess.filter(({ participants, inFlight }) => participants !== 'none' && inFlight === 1)
  const inside = withBarrier.map((one) =>
    commits(`in process, ${one.store}, barrier ${one.participants}`, one.commitsPerSaga),
  )
  const over = http.filter(({ inFlight }) => inFlight === 1)
  const outside = over.map((one) => commits(`over HTTP, ${one.store}, row writes`, one.rowWritesPerSaga))
  const counted = over.flatMap(({ store, commitsPerSaga }) => {
    return commitsPerSaga === null ? [] : [commits(`over HTTP, ${store}, by its own count`, commitsPerSaga)]
  })
  return [...ratios, ...inside, ...outside, ...counted, ...judgeClaims(claims)]
}

function commits(where: string, value: number): Target {
  const met = Math.abs(value - commitsAlone) <= commitsTolerance
  return {
    target: `${commitsAlone} durable commits per saga alone, ${where}`,
    met,
    value: String(value),
    kind: 'count',
  }
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
