/** RedLock on five real masters. */
import { testsWithRedis } from '../../../testkit/src/services/redis.ts'
import { redlockHarness } from './redlock-harness.ts'
import { testConformance } from './test-conformance.ts'

if (testsWithRedis()) testConformance(redlockHarness('ioredis'))
