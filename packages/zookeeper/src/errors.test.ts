import { expect, test } from 'vitest'
import { errorTable, isZooKeeperError, serverError, ZooKeeperError, type ZooKeeperErrorCode } from './errors.ts'

test('every number of the server has one name, and says whether it may have happened', () => {
  const numbered = Object.entries(errorTable).filter(([, { number }]) => number !== null)
  expect(new Set(numbered.map(([, { number }]) => number)).size).toBe(numbered.length)
  for (const [code, { number, outcome }] of numbered) expect(serverError(number ?? 0)).toMatchObject({ code, outcome })
})

test('what the server refused by the rules of the tree did not happen; what it could not finish may have', () => {
  const outcomes = (codes: ZooKeeperErrorCode[]) => new Set(codes.map((code) => new ZooKeeperError(code).outcome))
  expect(
    outcomes(['NO_NODE', 'NODE_EXISTS', 'NO_AUTH', 'BAD_VERSION', 'NOT_SENT', 'CLOSED', 'SESSION_EXPIRED']),
  ).toEqual(new Set(['not-applied']))
  expect(outcomes(['CONNECTION_LOSS', 'TIMEOUT', 'SYSTEM_ERROR', 'MARSHALLING_ERROR', 'OPERATION_TIMEOUT'])).toEqual(
    new Set(['unknown']),
  )
})

test('a number that nobody knows is unknown, and kept in the message', () => {
  expect(serverError(-999)).toMatchObject({ code: 'SERVER_ERROR', outcome: 'unknown' })
  expect(serverError(-999).message).toContain('-999')
})

test('an error is recognised by its mark and its code, also one of another copy of the package', () => {
  const error: unknown = new ZooKeeperError('NO_NODE')
  expect(isZooKeeperError(error)).toBe(true)
  expect(isZooKeeperError(error, 'NODE_EXISTS', 'NO_NODE')).toBe(true)
  expect(isZooKeeperError(error, 'NODE_EXISTS')).toBe(false)
  expect(isZooKeeperError({ code: 'NO_NODE', [Symbol.for('lockstep.zookeeper.error')]: true }, 'NO_NODE')).toBe(true)
  for (const other of [null, undefined, 'NO_NODE', { code: 'NO_NODE' }, new Error('NO_NODE')]) {
    expect(isZooKeeperError(other)).toBe(false)
  }
})
