/** What every lock backend must pass, on one real member. */
import { afterAll, describe, test } from 'vitest'
import { casesFor, type LockLab, lockConformance } from '../../../testkit/src/lock-conformance/index.ts'
import { testsWithEtcd } from '../../../testkit/src/services/etcd.ts'
import { etcdHarness } from '../../test/etcd-lab.ts'

if (testsWithEtcd())
  describe.concurrent('locks on etcd', () => {
    const harness = etcdHarness()
    let opening: Promise<LockLab> | undefined
    const lab = (): Promise<LockLab> => {
      opening ??= harness.open()
      return opening
    }
    afterAll(async () => {
      await opening?.catch(() => {})
      await harness.dispose()
    })
    for (const [index, promise] of casesFor(lockConformance, harness.capabilities).entries())
      test(promise.name, async () => promise.run(await lab(), `case${String(index).padStart(2, '0')}`))
  })
