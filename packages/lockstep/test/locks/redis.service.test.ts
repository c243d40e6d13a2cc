/** One real master, with both client packages. */
import { testsWithRedis } from '../../../testkit/src/services/redis.ts'
import { redisHarness } from './redis-harness.ts'
import { testConformance } from './test-conformance.ts'

if (testsWithRedis()) for (const client of ['ioredis', 'node-redis'] as const) testConformance(redisHarness(client))
