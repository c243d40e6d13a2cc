import { claimCases } from './claim-cases.ts'
import { concurrencyCases } from './concurrency-cases.ts'
import { listCases } from './list-cases.ts'
import { operatorCases } from './operator-cases.ts'
import { payloadCases } from './payload-cases.ts'
import { repeatCases } from './repeat-cases.ts'
import { retireCases } from './retire-cases.ts'
import type { StoreCase } from './store-case.ts'
import { workCases } from './work-cases.ts'
import { writeCases } from './write-cases.ts'

/** What every store promises, one case per promise. `compareWithModel` covers what nobody thought of. */
export const storeConformance: readonly StoreCase[] = [
  ...writeCases,
  ...workCases,
  ...operatorCases,
  ...payloadCases,
  ...repeatCases,
  ...claimCases,
  ...listCases,
  ...retireCases,
  ...concurrencyCases,
]
