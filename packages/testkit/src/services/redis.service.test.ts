import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningRedis, startRedis, testsWithRedis } from './redis.ts'

if (testsWithRedis())
  describe('a Redis for a test', () => {
    let redis: RunningRedis
    beforeAll(async () => {
      redis = await startRedis({ masters: 2, private: true })
    })
    afterAll(() => redis.stop())

    it('keeps its data over a kill, and the other master knows nothing of it', async () => {
      const [one, other] = redis.members
      expect(await one?.ask('SET', 'key', 'value')).toBe('+OK\r\n')
      await one?.restart()
      expect(await one?.ask('GET', 'key')).toBe('$5\r\nvalue\r\n')
      expect(await other?.ask('GET', 'key')).toBe('$-1\r\n')
    })

    it('answers nothing while it is paused, and everything afterwards', async () => {
      const [one] = redis.members
      await one?.pause()
      const answer = one?.ask('PING')
      one?.resume()
      expect(await answer).toBe('+PONG\r\n')
    })

    it('follows another one', async () => {
      const [one] = redis.members
      const replica = await startRedis({ ...(one && { replicaOf: one }), private: true })
      try {
        expect(await replica.members[0]?.ask('ROLE')).toContain('slave')
        expect(await one?.ask('WAIT', '1', '2000')).toBe(':1\r\n')
      } finally {
        await replica.stop()
      }
    })

    it('forgets everything at a restart without the append-only file', async () => {
      const forgetful = await startRedis({ appendonly: false, private: true })
      try {
        await forgetful.members[0]?.ask('SET', 'key', 'value')
        await forgetful.members[0]?.restart()
        expect(await forgetful.members[0]?.ask('GET', 'key')).toBe('$-1\r\n')
      } finally {
        await forgetful.stop()
      }
    })
  })
