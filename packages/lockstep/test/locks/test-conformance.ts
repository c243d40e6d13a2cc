import { afterAll, describe, test } from 'vitest'
import {
  casesFor,
  type LockHarness,
  type LockLab,
  lockConformance,
} from '../../../testkit/src/lock-conformance/index.ts'

/** Each case on names of its own, several at a time: what they wait for is time. */
export function testConformance(harness: LockHarness): void {
  describe.concurrent(`locks on ${harness.name}`, () => {
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
}
