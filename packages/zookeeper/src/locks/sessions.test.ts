import { expect, test } from 'vitest'
import { ask, openLocks } from '../../test/lock-lab.ts'

test('an ask behind close is refused, and no repeat mends that', async () => {
  const locks = openLocks({ servers: '127.0.0.1:1' })
  await locks.close()
  await expect(locks.contend(ask('closed'))).rejects.toMatchObject({
    code: 'LOCKSTEP_LOCK_UNAVAILABLE',
    retriable: false,
  })
})
