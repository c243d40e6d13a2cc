import type { LockCase } from './lock-case.ts'
import { mutexCases } from './mutex-cases.ts'
import { sharingCases } from './sharing-cases.ts'
import { timeCases } from './time-cases.ts'

export { casesFor, type LockCase, type LockHarness, type LockLab, type LockProcess } from './lock-case.ts'

/** What every lock backend must pass. */
export const lockConformance: readonly LockCase[] = [...mutexCases, ...timeCases, ...sharingCases]
