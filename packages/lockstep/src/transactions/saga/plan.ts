import { LockstepError } from '../../errors.ts'
import type { Json, Plan, TargetDirectory } from '../../ports/index.ts'
import { Checker, isObject, type JsonObject } from '../../protocol/checker.ts'
import { isUrlTarget } from '../../protocol/names.ts'
import { callTimeoutMs, checkTarget, deadlineMaxMs, readBranchName, readDuration, servicesOf } from '../reading.ts'
import { untried } from '../tries.ts'
import type { SagaDefinition, SagaState, StepPlan } from './definition.ts'
import { findReferences, isPointer } from './output-reference.ts'

const stepsMax = 500
const stepKeys = ['name', 'participant', 'action', 'compensate', 'input', 'after', 'timeout', 'retry']
const timeoutMaxMs = 3_600_000

/** Lays out a saga from the body of a begin (protocol.md section 2). Throws `LOCKSTEP_INVALID_REQUEST` with all that is wrong. */
export function plan(body: JsonObject, targets: TargetDirectory): Plan {
  const checker = new Checker()
  const given = checker.array(body, 'steps', '') ?? []
  if (given.length === 0 || given.length > stepsMax) checker.add('/steps', `must list 1 to ${stepsMax} steps`)
  const concurrent = checker.boolean(body, 'concurrent', '') ?? false
  const deadlineMs = readDuration(checker, body, 'deadline', { maxMs: deadlineMaxMs })
  const steps = readSteps(checker, given.slice(0, stepsMax), { concurrent, targets })
  checker.done()
  const definition: SagaDefinition = { input: body['input'] ?? null, steps }
  const needs = servicesOf(
    targets,
    steps.flatMap(({ action, compensate }) => [action, compensate]),
  )
  return { definition, state: initialState(steps), status: 'committing', needs, deadlineMs, restsMs: null }
}

function initialState(steps: readonly StepPlan[]): SagaState {
  return {
    steps: steps.map(() => ({
      state: 'waiting',
      output: null,
      sent: false,
      doubtful: false,
      flight: null,
      action: untried,
      compensate: untried,
      quietUntil: null,
      missing: null,
    })),
  }
}

/** A saga's steps are all named when it begins. */
export function planBranch(): never {
  throw new LockstepError('LOCKSTEP_ACTION_NOT_ALLOWED', {
    message: 'The steps of a saga are fixed when it begins; no branch is registered later.',
  })
}

interface Reading {
  readonly concurrent: boolean
  readonly targets: TargetDirectory
}

function readSteps(checker: Checker, given: readonly Json[], reading: Reading): StepPlan[] {
  const names = given.map((step, position) => readName(checker, step, position))
  for (const [position, name] of names.entries()) {
    if (name !== undefined && names.indexOf(name) !== position)
      checker.add(`/steps/${position}/name`, `repeats the name ${name}`)
  }
  const orders = given.map((step, position) =>
    readAfter(checker, step, { position, names, concurrent: reading.concurrent }),
  )
  checkForCycle(checker, orders)
  const plans = given.map((step, position) => readStep(checker, step, { position, name: names[position], reading }))
  const references = given.map((step, position) => readReferences(checker, step, { position, names, orders }))
  return plans.flatMap((step, position) => {
    return step === null ? [] : [{ ...step, after: orders[position] ?? [], references: references[position] ?? [] }]
  })
}

function readName(checker: Checker, step: Json, position: number): string | undefined {
  const path = `/steps/${position}`
  if (!isObject(step)) {
    checker.add(path, 'must be an object')
    return undefined
  }
  checker.keys(step, path, stepKeys)
  return readBranchName(checker, step['name'], `${path}/name`)
}

interface Order {
  readonly position: number
  readonly names: readonly (string | undefined)[]
  readonly concurrent: boolean
}

/** Without `after`, a step follows the one before it; with `concurrent`, nothing. */
function readAfter(checker: Checker, step: Json, { position, names, concurrent }: Order): number[] {
  if (!isObject(step)) return []
  const path = `/steps/${position}`
  const after = checker.array(step, 'after', path)
  if (after === undefined) return concurrent || position === 0 ? [] : [position - 1]
  const positions = after.flatMap((name, index) => {
    const before = typeof name === 'string' ? names.indexOf(name) : -1
    if (before < 0) checker.add(`${path}/after/${index}`, 'is not the name of a step')
    else if (before === position) checker.add(`${path}/after/${index}`, 'is the step itself')
    return before < 0 || before === position ? [] : [before]
  })
  return [...new Set(positions)]
}

function checkForCycle(checker: Checker, orders: readonly number[][]): void {
  const done = new Set<number>()
  for (let round = 0; round < orders.length; round++) {
    for (const [position, after] of orders.entries()) if (after.every((before) => done.has(before))) done.add(position)
  }
  const stuck = orders.findIndex((_, position) => !done.has(position))
  if (stuck >= 0) checker.add(`/steps/${stuck}/after`, 'is part of a circle: no step of it could ever start')
}

interface StepReading {
  readonly position: number
  readonly name: string | undefined
  readonly reading: Reading
}

type UnorderedStep = Omit<StepPlan, 'after' | 'references'>

function readStep(checker: Checker, step: Json, { position, name, reading }: StepReading): UnorderedStep | null {
  if (!isObject(step)) return null
  const path = `/steps/${position}`
  const target = readTargets(checker, step, path, reading.targets)
  const timeoutMs = readDuration(checker, step, 'timeout', { path, maxMs: timeoutMaxMs }) ?? callTimeoutMs
  const retryLimit = readRetry(checker, step, path)
  if (target === null || name === undefined) return null
  const barrier = reading.targets.usesBarrier(target.action)
  const input = step['input']
  return { name, ...target, barrier, timeoutMs, retryLimit, ...(input === undefined ? {} : { input }) }
}

function readTargets(checker: Checker, step: JsonObject, path: string, targets: TargetDirectory) {
  const participant = checker.string(step, 'participant', path)
  const action = checker.string(step, 'action', path)
  const compensate = checker.string(step, 'compensate', path)
  if ((participant === undefined) === (action === undefined)) {
    checker.add(path, 'needs either `participant` or `action`')
    return null
  }
  if (participant !== undefined && compensate !== undefined) {
    checker.add(`${path}/compensate`, 'goes with `action`; a participant brings its own compensation')
  }
  if (participant !== undefined && isUrlTarget(participant)) {
    checker.add(`${path}/participant`, 'must be <service>.<name>; a URL goes with `action`')
  }
  for (const [key, target] of [
    ['participant', participant],
    ['action', action],
    ['compensate', compensate],
  ] as const) {
    checkTarget(checker, target, `${path}/${key}`, { targets, operations: key === 'participant' ? ['action'] : [] })
  }
  return { action: participant ?? action ?? '', compensate: participant ?? compensate ?? null }
}

function readRetry(checker: Checker, step: JsonObject, path: string): number | null {
  const retry = checker.object(step, 'retry', path)
  if (retry === undefined) return null
  checker.keys(retry, `${path}/retry`, ['limit'])
  const limit = retry['limit']
  if (limit === undefined) return null
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= 1_000_000) return limit
  checker.add(`${path}/retry/limit`, 'must be a whole number from 1 to 1000000')
  return null
}

interface Naming {
  readonly position: number
  readonly names: readonly (string | undefined)[]
  readonly orders: readonly (readonly number[])[]
}

/** Every referenced step must come before, over any number of steps between. */
function readReferences(checker: Checker, step: Json, { position, names, orders }: Naming): number[] {
  const input = isObject(step) ? step['input'] : undefined
  if (input === undefined) return []
  const earlier = ancestorsOf(orders, position)
  const found = new Set<number>()
  for (const { reference, at } of findReferences(input, `/steps/${position}/input`)) {
    const before = names.indexOf(reference.$output)
    if (!earlier.has(before))
      checker.add(at, `refers to the output of ${reference.$output}, which is not a step before it`)
    if (!isPointer(reference.path)) checker.add(at, `refers to ${reference.path}, which is not a JSON Pointer`)
    found.add(before)
  }
  return [...found]
}

function ancestorsOf(orders: readonly (readonly number[])[], position: number): Set<number> {
  const found = new Set<number>()
  const open = [...(orders[position] ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue
    found.add(next)
    open.push(...(orders[next] ?? []))
  }
  return found
}
