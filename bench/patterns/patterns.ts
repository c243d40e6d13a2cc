import { messageTo } from './message.ts'
import type { BenchPattern, PatternName } from './pattern.ts'
import { sagaOfTwo } from './saga.ts'
import { tccOfTwo } from './tcc.ts'

/** Every pattern that is measured, in the order of the tables. */
export const patterns: readonly BenchPattern[] = [sagaOfTwo, tccOfTwo, messageTo(1), messageTo(2)]

export function patternOf(name: PatternName): BenchPattern {
  const pattern = patterns.find((one) => one.name === name)
  if (pattern === undefined) throw new Error(`There is no pattern ${name}.`)
  return pattern
}
