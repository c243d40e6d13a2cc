import { isLockstepError, LockstepError } from '../errors.ts'
import type { Pattern, PatternMachine, Plan, Sha256, TargetDirectory } from '../ports/index.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { Checker, isObject, type JsonObject } from '../protocol/checker.ts'
import { parseDurationMs } from '../protocol/duration.ts'
import { waitMaxMs } from '../protocol/limits.ts'
import { checkTransactionId } from '../protocol/names.ts'

export interface ReadBegin {
  readonly id: string
  readonly pattern: Pattern
  readonly contentHash: string
  readonly labels: Readonly<Record<string, string>>
  readonly waitMs: number
  readonly plan: Plan
}

const commonKeys = ['id', 'pattern', 'wait', 'input', 'labels']
const labelsMax = 32

export interface BeginReader {
  readonly machines: ReadonlyMap<Pattern, PatternMachine>
  readonly targets: TargetDirectory
  readonly sha256: Sha256
}

/** Checks a begin whole and lays out its plan, or throws `LOCKSTEP_INVALID_REQUEST` with all that is wrong. */
export function readBegin(body: unknown, { machines, targets, sha256 }: BeginReader): ReadBegin {
  if (!isObject(body)) {
    const message = 'The body must be a JSON object.'
    throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path: '', message }] })
  }
  const checker = new Checker()
  if (body['id'] === undefined) checker.add('/id', 'is missing: every begin carries an id, so that it can be repeated')
  else checker.attempt('/id', () => checkTransactionId(body['id']))
  const machine = readPattern(checker, body, machines)
  if (machine !== undefined) checker.keys(body, '', [...commonKeys, ...machine.bodyKeys])
  const labels = readLabels(checker, body)
  const waitMs = readWait(checker, body['wait'], '/wait')
  const contentHash = checker.attempt('', () => hashOf(body, sha256))
  // What is no JSON may be too deep, or without an end, for anybody to look into.
  if (machine === undefined || contentHash === undefined) checker.done()
  const plan = planOf(checker, body, { machine, targets })
  checker.done()
  if (machine === undefined || contentHash === undefined || plan === undefined)
    throw new LockstepError('LOCKSTEP_BUG', { message: 'a begin without a plan' })
  return { id: body['id'] as string, pattern: machine.pattern, contentHash, labels, waitMs, plan }
}

/** Same id and same content is the same transaction (law 2). `wait` says how to be answered, not what to do. */
function hashOf(body: JsonObject, sha256: Sha256): string {
  const { wait: _, ...content } = body
  return sha256(canonicalJson(content))
}

function planOf(
  checker: Checker,
  body: JsonObject,
  by: { machine: PatternMachine | undefined; targets: TargetDirectory },
) {
  try {
    return by.machine?.plan(body, by.targets)
  } catch (error) {
    if (!isLockstepError(error) || error.issues === undefined) throw error
    if (error.code === 'LOCKSTEP_URL_NOT_ALLOWED') checker.forbidden.push(...error.issues)
    else checker.issues.push(...error.issues)
    return undefined
  }
}

function readPattern(checker: Checker, body: JsonObject, machines: ReadonlyMap<Pattern, PatternMachine>) {
  const pattern = body['pattern']
  const machine = typeof pattern === 'string' ? machines.get(pattern as Pattern) : undefined
  if (machine === undefined) checker.add('/pattern', `must be one of: ${[...machines.keys()].join(', ')}`)
  return machine
}

export function readWait(checker: Checker, wait: unknown, path: string): number {
  if (wait === undefined) return 0
  const ms = checker.attempt(path, () => parseDurationMs(wait))
  if (ms !== undefined && ms > waitMaxMs) checker.add(path, `must be from 0 to ${waitMaxMs} milliseconds`)
  return ms ?? 0
}

function readLabels(checker: Checker, body: JsonObject): Record<string, string> {
  const labels = checker.object(body, 'labels', '') ?? {}
  const entries = Object.entries(labels)
  if (entries.length > labelsMax) checker.add('/labels', `must be at most ${labelsMax}`)
  const read: [string, string][] = []
  for (const [key, value] of entries) {
    if (!/^[A-Za-z0-9._:~-]{1,64}$/.test(key))
      checker.add('/labels', 'a key is 1 to 64 characters of A-Z a-z 0-9 . _ : ~ -')
    else if (typeof value !== 'string' || value.length > 256 || hasControls(value)) {
      checker.add(
        `/labels/${key.replaceAll('~', '~0')}`,
        'must be a text of at most 256 characters without control characters',
      )
    } else read.push([key, value])
  }
  return Object.fromEntries(read)
}

function hasControls(text: string): boolean {
  return [...text].some((character) => character < ' ' || character === '\u007f')
}
