import { LockstepError } from '../../errors.ts'
import type { Json, Plan, TargetDirectory } from '../../ports/index.ts'
import { Checker, isObject, type JsonObject } from '../../protocol/checker.ts'
import { alertAfterMs, holdAfterMs } from '../age.ts'
import { newErrand } from '../errand.ts'
import { checkTarget, readBranchName, readDuration, servicesOf } from '../reading.ts'
import type { Delivery, MessageDefinition, MessageState } from './definition.ts'

const deliveriesMax = 500
const deliveryKeys = ['name', 'to', 'payload', 'delay', 'escalate']
const defaultCheckAfterMs = 2_000
/** Well before an undecided message is held for its age: a check that comes no sooner would never be asked. */
const checkAfterMaxMs = holdAfterMs / 2
/** Well within the barrier's memory (law 10). */
const delayMaxMs = 7 * 24 * 3_600_000

/** Lays out a message from the body of a begin (protocol.md section 2). Throws `LOCKSTEP_INVALID_REQUEST` with all that is wrong. */
export function plan(body: JsonObject, targets: TargetDirectory): Plan {
  const checker = new Checker()
  if (body['deadline'] !== undefined)
    checker.add('/deadline', 'does not go with a message: silence never decides one, the check-back does')
  const checkBack = checker.string(body, 'checkBack', '')
  checkTarget(checker, checkBack, '/checkBack', { targets, as: 'check-back' })
  if (checkBack === undefined && body['checkAfter'] !== undefined)
    checker.add('/checkAfter', 'needs a `checkBack` to be asked')
  const checkAfterMs = readDuration(checker, body, 'checkAfter', { minMs: 0, maxMs: checkAfterMaxMs })
  const deliveries = readDeliveries(checker, body, targets)
  checker.done()
  const definition: MessageDefinition = {
    input: body['input'] ?? null,
    checkBack: checkBack ?? null,
    checkAfterMs: checkAfterMs ?? defaultCheckAfterMs,
    deliveries,
    needs: servicesOf(
      targets,
      deliveries.map(({ to }) => to),
    ),
  }
  const asked = servicesOf(targets, [checkBack ?? null])
  const needs = [...new Set([...asked, ...definition.needs])].sort()
  return {
    definition,
    state: initialState(deliveries),
    status: 'prepared',
    needs,
    deadlineMs: null,
    restsMs: restOf(definition),
  }
}

/** Until it is checked, or a person is told of its age; without a check-back only the age moves an undecided message. */
function restOf({ checkBack, checkAfterMs }: MessageDefinition): number {
  return checkBack === null ? alertAfterMs : Math.min(checkAfterMs, alertAfterMs)
}

/** Fan-out is resolved at begin. */
export function planBranch(): never {
  throw new LockstepError('LOCKSTEP_ACTION_NOT_ALLOWED', {
    message: 'The deliveries of a message are fixed when it begins; no branch is registered later.',
  })
}

function initialState(deliveries: readonly Delivery[]): MessageState {
  const fresh = {
    state: 'waiting',
    output: null,
    errand: newErrand,
    dueAt: null,
    stuck: null,
    escalation: null,
  } as const
  return { check: newErrand, hurried: false, deliveries: deliveries.map(() => fresh) }
}

function readDeliveries(checker: Checker, body: JsonObject, targets: TargetDirectory): Delivery[] {
  const given = checker.array(body, 'deliveries', '') ?? []
  if (given.length === 0 || given.length > deliveriesMax)
    checker.add('/deliveries', `must list 1 to ${deliveriesMax} deliveries`)
  const read = given.slice(0, deliveriesMax).map((one, position) => readDelivery(checker, one, position, targets))
  const names = read.map((one) => one?.name)
  for (const [position, name] of names.entries()) {
    if (name !== undefined && names.indexOf(name) !== position)
      checker.add(`/deliveries/${position}/name`, `repeats the name ${name}`)
  }
  return read.filter((one) => one !== null)
}

function readDelivery(checker: Checker, given: Json, position: number, targets: TargetDirectory): Delivery | null {
  const path = `/deliveries/${position}`
  if (!isObject(given)) {
    checker.add(path, 'must be an object')
    return null
  }
  checker.keys(given, path, deliveryKeys)
  const name =
    given['name'] === undefined ? String(position + 1) : readBranchName(checker, given['name'], `${path}/name`)
  const to = checker.string(given, 'to', path)
  if (given['to'] === undefined) checker.add(`${path}/to`, 'is missing')
  const escalate = checker.string(given, 'escalate', path)
  checkTarget(checker, to, `${path}/to`, { targets, operations: ['deliver'] })
  checkTarget(checker, escalate, `${path}/escalate`, { targets, operations: ['deliver'] })
  const delayMs = readDuration(checker, given, 'delay', { path, minMs: 0, maxMs: delayMaxMs }) ?? 0
  return { name: name ?? '', to: to ?? '', payload: given['payload'] ?? null, delayMs, escalate: escalate ?? null }
}
