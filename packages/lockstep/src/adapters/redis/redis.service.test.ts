import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RunningRedis, startRedis, testsWithRedis } from '../../../../testkit/src/services/redis.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type RedisConnection, type RedisConnector, silentLogger } from '../../ports/index.ts'
import { ioRedis, nodeRedis } from './index.ts'

const timeout = { timeoutMs: 2_000 }
const environment = { ...nodeEnvironment, log: silentLogger }
const echo = { lua: 'return {ARGV[1], #KEYS, false}' }

const clients: Record<string, (url: string) => RedisConnector> = {
  ioredis: (url) => ioRedis(new Redis(url, { lazyConnect: true })),
  'node-redis': (url) => nodeRedis(createClient({ url })),
}

if (testsWithRedis())
  describe.each(Object.entries(clients))('the adapter of %s', (_name, connector) => {
    let redis: RunningRedis
    const opened: RedisConnection[] = []
    const open = (url = redis.url): RedisConnection => {
      const connection = connector(url).open(environment)
      opened.push(connection)
      return connection
    }
    beforeAll(async () => {
      redis = await startRedis({ private: true })
    })
    afterEach(() => Promise.all(opened.splice(0).map((connection) => connection.close())))
    afterAll(() => redis.stop())

    it('runs a script by its digest, and gives text, integers and null', async () => {
      const connection = open()
      for (const word of ['first', 'second'])
        expect(await connection.script(echo, ['{a}'], [word], timeout)).toEqual([word, 1, null])
      expect(await redis.members[0]?.ask('INFO', 'commandstats')).toContain('cmdstat_evalsha:calls=')
    })

    it('sends the text again when the server has forgotten the script', async () => {
      const connection = open()
      await connection.script(echo, [], ['a'], timeout)
      await connection.command(['SCRIPT', 'FLUSH'], timeout)
      expect(await connection.script(echo, [], ['b'], timeout)).toEqual(['b', 0, null])
    })

    it('gives maps as flat arrays', async () => {
      const connection = open()
      expect(await connection.command(['CONFIG', 'GET', 'appendonly'], timeout)).toEqual(['appendonly', 'yes'])
    })

    it('tells what the server has refused', async () => {
      const connection = open()
      await expect(connection.command(['NOSUCH'], timeout)).rejects.toMatchObject({ failure: 'refused', reply: 'ERR' })
    })

    it('tells that the server is away: nothing was sent', async () => {
      const connection = open('redis://127.0.0.1:1')
      await expect(connection.command(['PING'], timeout)).rejects.toMatchObject({ failure: 'not-sent' })
    })

    it('a paused server leaves a call unknown at its deadline, and answers the later ones', async () => {
      const connection = open()
      await connection.command(['PING'], timeout)
      await redis.members[0]?.pause()
      const started = performance.now()
      await expect(connection.command(['PING'], { timeoutMs: 100 })).rejects.toMatchObject({ failure: 'unknown' })
      expect(performance.now() - started).toBeLessThan(1_000)
      redis.members[0]?.resume()
      expect(await connection.command(['ECHO', 'later'], timeout)).toBe('later')
    })

    it('connects again after a restart, and subscribes again', async () => {
      const connection = open()
      const heard: string[] = []
      const changes: string[] = []
      connection.onConnectionChange((state) => changes.push(state))
      const listener = {
        message: (text: string) => heard.push(text),
        lost: () => heard.push('lost'),
        restored: () => heard.push('restored'),
      }
      await connection.subscribe('news', listener)
      await connection.command(['PUBLISH', 'news', 'one'], timeout)
      await vi.waitFor(() => expect(heard).toEqual(['one']))
      await redis.members[0]?.restart()
      await vi.waitFor(() => expect(heard).toEqual(['one', 'lost', 'restored']), { timeout: 5_000 })
      await connection.command(['PUBLISH', 'news', 'two'], timeout)
      await vi.waitFor(() => expect(heard.at(-1)).toBe('two'))
      expect(changes.slice(0, 2)).toEqual(['connected', 'lost'])
    })

    it('subscribes once for several listeners, and ends it with the last', async () => {
      const connection = open()
      const quiet = { message() {}, lost() {}, restored() {} }
      const both = await Promise.all([connection.subscribe('shared', quiet), connection.subscribe('shared', quiet)])
      expect(await connection.command(['PUBSUB', 'NUMSUB', 'shared'], timeout)).toEqual(['shared', 1])
      both[0].close()
      both[0].close()
      expect(await connection.command(['PUBSUB', 'NUMSUB', 'shared'], timeout)).toEqual(['shared', 1])
      both[1].close()
      await vi.waitFor(async () =>
        expect(await connection.command(['PUBSUB', 'NUMSUB', 'shared'], timeout)).toEqual(['shared', 0]),
      )
    })

    it('tells a wrong password from a server that is away', async () => {
      const guarded = await startRedis({ private: true, settings: { requirepass: 'secret' } })
      const { port } = guarded.members[0] ?? { port: 0 }
      try {
        const refusal = { failure: 'refused', reply: expect.stringMatching(/^(?:NOAUTH|WRONGPASS)$/) }
        for (const user of ['', ':wrong@']) {
          const connection = open(`redis://${user}127.0.0.1:${port}`)
          await expect(connection.command(['PING'], timeout)).rejects.toMatchObject(refusal)
        }
        expect(await open(`redis://:secret@127.0.0.1:${port}`).command(['PING'], timeout)).toBe('PONG')
      } finally {
        await guarded.stop()
      }
    })

    it('rejects what is open and what comes later when it is closed', async () => {
      const connection = open()
      await connection.command(['PING'], timeout)
      const pending = connection.command(['PING'], timeout)
      const ended = expect(pending).rejects.toMatchObject({ failure: 'unknown' })
      await connection.close()
      await ended
      await expect(connection.command(['PING'], timeout)).rejects.toMatchObject({ failure: 'not-sent' })
      await expect(connection.subscribe('a', { message() {}, lost() {}, restored() {} })).rejects.toMatchObject({
        failure: 'not-sent',
      })
    })
  })

it('another handle is refused with what is wanted', () => {
  for (const wrong of [{}, new Map(), null, createClient()])
    expect(() => ioRedis(wrong as never)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_ADAPTER_MISMATCH' }))
  for (const wrong of [{}, null, new Redis({ lazyConnect: true })])
    expect(() => nodeRedis(wrong as never)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_ADAPTER_MISMATCH' }))
})
