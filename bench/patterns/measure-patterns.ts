/** Part 2: what a transaction of each pattern costs, inside the service and over HTTP. */
import type { Stores } from '../setting/stores.ts'
import { type HttpFigures, measureHttp } from './measure-http.ts'
import { type AloneFigures, type InProcessFigures, type LoadExtent, measureInProcess } from './measure-in-process.ts'
import type { PatternName } from './pattern.ts'
import { patternOf } from './patterns.ts'

export interface PatternFigures {
  readonly alone: readonly AloneFigures[]
  readonly inProcess: readonly InProcessFigures[]
  readonly http: readonly HttpFigures[]
}

export async function measurePatterns(
  stores: Stores,
  names: readonly PatternName[],
  extent: LoadExtent,
): Promise<PatternFigures> {
  const alone: AloneFigures[] = []
  const inProcess: InProcessFigures[] = []
  const http: HttpFigures[] = []
  for (const pattern of names.map(patternOf)) {
    const inside = await measureInProcess(stores, pattern, extent)
    alone.push(...inside.alone)
    inProcess.push(...inside.inProcess)
    http.push(...(await measureHttp(stores, pattern, extent)))
  }
  return { alone, inProcess, http }
}
