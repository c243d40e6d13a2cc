import type { AttemptRow, Entry, OperatorColumns, Progress, StoredTransaction, Work } from 'lockstep/ports'
import { type EntryPlan, labelNames, labelValues, largeText, owners, services } from './model-commands.ts'
import { awkwardIds, awkwardTexts } from './payload-cases.ts'
import { audit, begun, dayMs, held } from './sample-rows.ts'

const mebibyte = '"é\\'.repeat(2 ** 18)

/** Makes the entry that a plan means, given the row that the model holds now. */
export function entryFromPlan(plan: EntryPlan, row: StoredTransaction | undefined, now: number): Entry {
  const id = awkwardIds[plan.id] ?? ''
  const rows = {
    ...(plan.attempts.length === 0 ? {} : { attempts: plan.attempts.map((number) => attempt(number, plan.order)) }),
    ...(plan.audit ? { audit: audit(`action-${plan.order}`) } : {}),
  }
  const epoch = (row?.epoch ?? 1) + plan.epochOff
  const version = (row?.version ?? 1) + plan.versionOff
  switch (plan.kind) {
    case 'insert':
      return { kind: 'insert', row: insertRow(plan, id, now), ...rows }
    case 'advance': {
      const hold = plan.hold ? { hold: held('too-old') } : {}
      return { kind: 'advance', id, epoch, progress: progressOf(plan, now), ...hold, ...grownBy(plan), ...rows }
    }
    case 'take': {
      const operator = plan.operator === 'keep' ? {} : { operator: operatorOf(plan) }
      const progress = progressOf(plan, now)
      return { kind: 'take', id, epoch, version, progress, ...operator, ...grownBy(plan), ...rows }
    }
    case 'mark':
      return { kind: 'mark', id, version, operator: operatorOf(plan), nextAt: nextAtOf(plan, now), ...rows }
  }
}

function insertRow(plan: EntryPlan, id: string, now: number) {
  const labels = plan.labels.map(([name, value]) => [labelNames[name] ?? '', labelValues[value] ?? ''] as const)
  return begun(id, {
    ...progressOf(plan, now),
    pattern: plan.order % 2 === 0 ? 'saga' : 'tcc',
    definition: textOf(plan),
    needs: needsOf(plan),
    labels: Object.fromEntries(labels),
    createdAt: plan.order,
    held: plan.hold ? held('begun-held') : null,
    deadlineAt: plan.order,
  })
}

/** Not the text that the entry's other columns get, so that a store which takes one for the other is found out. */
function grownBy(plan: EntryPlan): { work?: Work } {
  if (plan.work === 'none') return {}
  if (plan.work === 'broken') return { work: { definition: 'a\0b', needs: needsOf(plan) } }
  const definition = plan.text === largeText ? `${mebibyte}.` : awkwardTexts[(plan.text + 1) % awkwardTexts.length]
  return { work: { definition: definition ?? '', needs: needsOf(plan) } }
}

function needsOf(plan: EntryPlan): string[] {
  return plan.needs.map((need) => services[need] ?? '')
}

function progressOf(plan: EntryPlan, now: number): Progress {
  const ends = plan.shape === 'finish'
  return {
    status: ends ? 'committed' : 'committing',
    state: textOf(plan),
    reason: plan.order === 0 ? textOf(plan) : null,
    updatedAt: plan.order,
    endedAt: ends ? plan.order : null,
    nextAt: ends ? null : nextAtOf(plan, now),
    owner: plan.shape === 'run' ? (owners[plan.owner] ?? null) : null,
  }
}

/** The detail of a hold is the only text that a mark has, so a broken one always holds: else it would hardly ever be drawn. */
function operatorOf(plan: EntryPlan): OperatorColumns {
  const detail = plan.order === 0 && !plan.broken ? null : textOf(plan)
  return {
    held: plan.operator === 'hold' || plan.broken ? { ...held('paused'), detail } : null,
    deadlineAt: plan.order === 0 ? null : plan.order,
    ageFrom: plan.order,
  }
}

/** Days apart, so that the clocks of model and store, read one after the other, never disagree about them. */
function nextAtOf(plan: EntryPlan, now: number): number | null {
  const days = { overdue: -10, due: -1, later: 10, none: null }[plan.nextAt]
  return days === null ? null : now + days * dayMs + plan.order
}

function attempt(number: number, startedAt: number): AttemptRow {
  const operation = number % 2 === 0 ? 'action' : 'compensate'
  return {
    branch: `b${number % 3}`,
    operation,
    number,
    startedAt,
    durationMs: number,
    outcome: 'unknown',
    error: 'timeout',
  }
}

function textOf(plan: EntryPlan): string {
  if (plan.broken) return 'a\0b'
  return plan.text === largeText ? mebibyte : (awkwardTexts[plan.text] ?? '')
}
