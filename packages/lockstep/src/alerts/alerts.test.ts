import { expect, it } from 'vitest'
import { type Alert, type Logger, silentLogger } from '../ports/index.ts'
import { alertsTo, countedAlerts, logAlerts } from './index.ts'

const held: Alert = {
  kind: 'held',
  id: 'order-42',
  pattern: 'tcc',
  status: 'committing',
  at: 1_700_000_000_000,
  reason: 'phase-two-refused',
  detail: 'seats confirm: "no"',
}

it('a log has one warning per alert, with what a person needs to find it', () => {
  const lines: [object, string][] = []
  logAlerts({ ...silentLogger, warn: (fields, message) => void lines.push([fields, message]) }).raise(held)
  expect(lines).toEqual([
    [
      expect.objectContaining({ id: 'order-42', pattern: 'tcc', status: 'committing', reason: 'phase-two-refused' }),
      'a transaction is held: a person must look',
    ],
  ])
})

it('a counter is told kind and pattern, and never an id', () => {
  const added: unknown[][] = []
  countedAlerts({ add: (...given) => void added.push(given) }).raise(held)
  expect(added).toEqual([[1, { kind: 'held', pattern: 'tcc' }]])
})

it('all destinations get every alert, also when one of them throws', () => {
  const got: string[] = []
  const errors: object[] = []
  const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields) }
  const broken = { raise: () => expect.unreachable('broken') }
  const one = { raise: ({ id }: Alert) => void got.push(`one ${id}`) }
  const two = { raise: ({ id }: Alert) => void got.push(`two ${id}`) }
  alertsTo([one, broken, two], logger).raise(held)
  expect(got).toEqual(['one order-42', 'two order-42'])
  expect(errors).toEqual([{ id: 'order-42', error: expect.any(String) }])
  expect(() => alertsTo([broken]).raise(held)).not.toThrow()
})
