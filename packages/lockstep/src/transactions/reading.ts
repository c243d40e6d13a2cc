import type { Json, Operation, TargetDirectory } from '../ports/index.ts'
import type { Checker, JsonObject } from '../protocol/checker.ts'
import { parseDurationMs } from '../protocol/duration.ts'
import { checkBranchName } from '../protocol/names.ts'

/** What the bodies of all patterns have in common: durations, targets, names. */

export const deadlineMaxMs = 3 * 24 * 3_600_000
export const callTimeoutMs = 10_000

export interface Bounds {
  readonly minMs?: number
  readonly maxMs: number
}

/** Null when it is not given. */
export function readDuration(
  checker: Checker,
  object: JsonObject,
  key: string,
  { path = '', minMs = 1, maxMs }: Bounds & { readonly path?: string },
): number | null {
  const value = object[key]
  if (value === undefined) return null
  const ms = checker.attempt(`${path}/${key}`, () => parseDurationMs(value))
  if (ms !== undefined && (ms < minMs || ms > maxMs))
    checker.add(`${path}/${key}`, `must be from ${minMs} to ${maxMs} milliseconds`)
  return ms ?? null
}

interface CheckedTarget {
  readonly targets: TargetDirectory
  readonly as?: 'participant' | 'check-back'
  readonly operations?: readonly Operation[]
}

/** Notes what is wrong with a target, or that it may not be called. */
export function checkTarget(
  checker: Checker,
  target: string | undefined,
  path: string,
  { targets, as = 'participant', operations = [] }: CheckedTarget,
): void {
  if (target === undefined) return
  const refusal = targets.refuses(target, as, operations)
  const ban = refusal === null ? targets.forbids(target) : null
  if (refusal !== null) checker.add(path, refusal)
  if (ban !== null) checker.forbid(path, ban)
}

export function readBranchName(checker: Checker, name: Json | undefined, path: string): string | undefined {
  if (name === undefined) {
    checker.add(path, 'is missing')
    return undefined
  }
  return checker.attempt(path, () => checkBranchName(name, path))
}

/** Sorted, each once; what needs no service is left out. */
export function servicesOf(targets: TargetDirectory, called: readonly (string | null)[]): string[] {
  const services = called.map((target) => (target === null ? null : targets.serviceOf(target)))
  return [...new Set(services.filter((service) => service !== null))].sort()
}
