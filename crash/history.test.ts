/** The checker is checked: a history that cannot be must be refused. */
import { expect, it } from 'vitest'
import { checkEscalations } from './checks.ts'
import { checkHistory } from './history.ts'

const sent = { id: 't', sent: 'tcc' } as const
const shown = (status: string) => ({ id: 't', shown: status, by: 'bank-a' })

it.each([
  ['answers that lead to the end', [sent, shown('prepared'), shown('committing')], 'committed'],
  ['a saga that turned', [{ id: 't', sent: 'saga' }, shown('committing')], 'rolled-back'],
] as const)('%s are no violation', (_name, history, end) => {
  expect(checkHistory(history, new Map([['t', end]]))).toEqual([])
})

it.each([
  [
    'a commit that flipped',
    [sent, shown('committed')],
    [['t', 'rolled-back']],
    'was shown committed by bank-a and is rolled-back',
  ],
  ['a decision that flipped', [sent, shown('committing')], [['t', 'rolled-back']], 'was shown committing'],
  ['a rollback that flipped', [sent, shown('rolling-back')], [['t', 'committed']], 'was shown rolling-back'],
  ['an answer before the order', [shown('committing'), sent], [['t', 'committed']], 'before it was sent'],
  ['something acknowledged that is gone', [sent, shown('prepared')], [], 'is gone'],
  ['something that nobody has sent', [], [['t', 'committed']], 'was never sent'],
] as const)('%s is a violation', (_name, history, ends, complaint) => {
  expect(checkHistory(history, new Map(ends))).toEqual([expect.stringContaining(complaint)])
})

const refused = { id: 't', status: 'committed', incomplete: true, labels: {} }
const whole = { ...refused, incomplete: false }
const told = { id: 't-1', status: 'committed', incomplete: false, labels: { 'escalation-of': 't' } }

function escalations(ends: readonly object[], linked: readonly object[]): string[] {
  const all = ends as Parameters<typeof checkEscalations>[1]
  return checkEscalations(new Map(all.map((one) => [one.id, one])), linked as Parameters<typeof checkEscalations>[1])
}

it('a refused message that was escalated once is no violation, nor is one that nobody refused', () => {
  expect(escalations([refused, { ...whole, id: 'u' }], [told])).toEqual([])
})

it.each([
  ['refused, and not escalated', [refused], []],
  ['refused, and escalated twice', [refused], [told, { ...told, id: 't-2' }]],
  ['escalated without a refusal', [whole], [told]],
  ['escalated, and the escalation refused', [refused], [{ ...told, incomplete: true }]],
  ['an escalation of nothing', [], [told]],
])('%s is a violation', (_name, ends, linked) => {
  expect(escalations(ends, linked)).toHaveLength(1)
})
