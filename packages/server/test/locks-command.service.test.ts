/** `lockstep locks` on every backend that it can name. */
import {
  type LockServers,
  startLockServers,
  testsWithEtcd,
  testsWithPostgres,
  testsWithRedis,
  testsWithZooKeeper,
} from '@lockstep/testkit'
import { createLocks } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backendNamed, type NamedBackend } from '../src/locks/compose.ts'
import { commandHere } from './command-here.ts'

const urls: Readonly<Record<string, (servers: LockServers) => string>> = {
  redis: ({ redis }) => redis.url,
  redlock: ({ masters }) => masters.urls.join(','),
  zookeeper: ({ zookeeper }) => `zookeeper://${zookeeper.servers}/locks/of/a/test`,
  'zookeeper, ephemeral': ({ zookeeper }) => `zookeeper+ephemeral://${zookeeper.servers}/ephemeral`,
  etcd: ({ etcd }) => etcd.endpoints.join(',').replaceAll('http://', 'etcd://').replaceAll(',etcd://', ','),
  postgres: ({ postgres }) => postgres.url,
  'postgres, advisory': ({ postgres }) => postgres.url.replace(/^postgres(ql)?:/, 'postgres+advisory:'),
}

if (testsWithRedis() && testsWithZooKeeper() && testsWithEtcd() && testsWithPostgres())
  describe('lockstep locks', () => {
    let servers: LockServers
    beforeAll(async () => {
      servers = await startLockServers()
    })
    afterAll(() => servers?.stop())

    describe.each(Object.keys(urls))('on %s', (kind) => {
      let url: string
      let backend: NamedBackend
      let locks: Locks
      beforeAll(async () => {
        url = urls[kind]?.(servers) ?? ''
        backend = await backendNamed(url)
        locks = createLocks(backend.open)
      })
      afterAll(async () => {
        await locks?.close()
        await backend?.end()
      })
      const run = (...args: string[]) => commandHere(['locks', ...args, '--backend', url])

      test('says that nothing is held, and who holds what', async () => {
        expect(await run('list')).toEqual({ code: 0, stdout: 'Nothing is held.\n', stderr: '' })
        const lease = await locks.acquire('sku-42', { label: 'nightly import' })
        const token = String(lease.fencingToken)
        const listed = JSON.parse((await run('list', '--json')).stdout)
        expect(listed).toMatchObject([
          { name: 'sku-42', mode: 'mutex', token, holder: { pid: process.pid, label: 'nightly import' } },
        ])
        const shown = await run('show', 'sku-42')
        expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining(token)])
        expect((await run('show', 'other')).stdout).toBe('Nobody holds other.\n')
        await lease.release()
      })
      test('takes a hold away by its token and with a reason, and no other one', async () => {
        const lease = await locks.acquire('sku-43')
        const token = String(lease.fencingToken)
        const wrong = await run('release', 'sku-43', '--token', '7', '--reason', 'wrong')
        expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining(token)])
        const taken = await run('release', 'sku-43', '--token', token, '--reason', 'host-7 is gone')
        expect([taken.code, taken.stdout]).toEqual([0, expect.stringContaining('host-7 is gone')])
        expect((await run('show', 'sku-43')).stdout).toBe('Nobody holds sku-43.\n')
        await lease.release()
      })
    })

    test.each([
      'mysql://here',
      'redis',
      '',
      'redis://127.0.0.1:1,redis://127.0.0.1:2',
      'postgres://127.0.0.1:1/none',
      'redis://127.0.0.1:1',
      'etcd://127.0.0.1:1',
    ])('the backend %j is a clear error', async (backend) => {
      const ended = await commandHere(['locks', 'list', '--backend', backend])
      expect([0, ended.stderr.includes('[LOCKSTEP_')]).not.toEqual([ended.code, true])
      expect(ended.stderr).toMatch(/\[LOCKSTEP_(CONFIGURATION|LOCK_UNAVAILABLE)\]/)
    })
    test('a reason and a token are asked for', async () => {
      const backend = ['--backend', 'redis://127.0.0.1:1']
      expect((await commandHere(['locks', 'release', 'a', '--token', '1', ...backend])).code).toBe(2)
      expect((await commandHere(['locks', 'release', 'a', '--reason', 'why', ...backend])).code).toBe(2)
      expect(
        (await commandHere(['locks', 'release', 'a', '--reason', 'why', '--token', 'x', ...backend])).stderr,
      ).toContain('LOCKSTEP_CONFIGURATION')
      expect((await commandHere(['locks', 'list'])).code).toBe(2)
    })
  })
