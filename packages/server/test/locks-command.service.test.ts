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
  etcd: ({ etcd }) => etcdUrl(etcd.endpoints),
  postgres: ({ postgres }) => postgres.url,
  'postgres, advisory': ({ postgres }) => advisory(postgres.url),
}

function etcdUrl(endpoints: readonly string[]): string {
  return `etcd://${endpoints.map((endpoint) => endpoint.replace('http://', '')).join(',')}`
}

function advisory(url: string): string {
  return url.replace(/^postgres(ql)?:/, 'postgres+advisory:')
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
        await (await locks.acquire('the-first')).release()
        const none = await run('list')
        expect([none.code, none.stdout]).toEqual([0, expect.stringMatching(/^Nothing is held in /)])
        expect((await run('list', '--json')).stdout).toBe('[]\n')
        const lease = await locks.acquire('sku-42', { label: 'nightly import' })
        const token = String(lease.fencingToken)
        const listed = JSON.parse((await run('list', '--json')).stdout)
        expect(listed).toMatchObject([
          { name: 'sku-42', mode: 'mutex', token, holder: { pid: process.pid, label: 'nightly import' } },
        ])
        const shown = await run('show', 'sku-42')
        expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining(token)])
        await lease.release()
      })
      test('a name that nobody holds is not found', async () => {
        const { code, stdout, stderr } = await run('show', 'other')
        expect([code, stdout]).toEqual([3, ''])
        expect(stderr).toMatch(/^lockstep: Nobody holds other in .*\[LOCKSTEP_NOT_FOUND\]/)
      })
      test('takes a hold away by its token and with a reason, and no other one', async () => {
        const lease = await locks.acquire('sku-43', { label: 'import' })
        const token = String(lease.fencingToken)
        const wrong = await run('release', 'sku-43', '--token', '7', '--reason', 'wrong')
        expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining(token)])
        const taken = await run('release', 'sku-43', '--token', token, '--reason', 'host-7\u001b[2J is gone')
        expect([taken.code, taken.stdout]).toEqual([
          0,
          expect.stringContaining(`token ${token}: host-7\ufffd[2J is gone`),
        ])
        expect(taken.stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z \S+@\S+ took sku-43 away from \S+ \d+ \(import\), /)
        expect((await run('show', 'sku-43')).code).toBe(3)
        await lease.release()
      })
      test('tells a program who took what from whom, and why', async () => {
        const lease = await locks.acquire('sku-44')
        const args = ['--token', String(lease.fencingToken), '--reason', 'a test', '--json']
        const taken = JSON.parse((await run('release', 'sku-44', ...args)).stdout)
        expect(taken).toMatchObject({ name: 'sku-44', reason: 'a test', takenBy: expect.stringContaining('@') })
        expect(Math.abs(Date.parse(taken.takenAt) - Date.now())).toBeLessThan(60_000)
        await lease.release()
      })
    })

    const list = (backend: string) => commandHere(['locks', 'list', '--backend', backend])

    test.each<[string, (servers: LockServers) => string, string]>([
      ['schema', ({ postgres }) => `${postgres.url}?schema=typo`, 'no table typo.lockstep_lock_leases'],
      ['schema of advisory locks', ({ postgres }) => `${advisory(postgres.url)}?schema=typo`, 'no table typo.'],
      ['root', ({ zookeeper }) => `zookeeper://${zookeeper.servers}/typo`, 'no node /typo'],
    ])('a %s that does not exist is told, and is not made by looking', async (_name, urlOf, said) => {
      for (const _time of ['first', 'second']) {
        const { code, stderr } = await list(urlOf(servers))
        expect([code, stderr]).toEqual([3, expect.stringContaining(said)])
        expect(stderr).toContain('[LOCKSTEP_NOT_FOUND]')
      }
    })
    test.each<[string, (servers: LockServers) => string, string]>([
      ['redis', ({ redis }) => `${redis.url}/3?prefix=typo`, 'database 3, under the prefix typo. Locks with another'],
      [
        'redlock',
        ({ masters }) => masters.urls.map((url) => `${url}?prefix=typo`).join(','),
        'the prefix typo. Locks with',
      ],
      ['etcd', ({ etcd }) => `${etcdUrl(etcd.endpoints)}?prefix=typo/`, 'under the prefix typo/. Locks with another'],
    ])('%s cannot tell a wrong prefix, and says which one it was', async (_name, urlOf, said) => {
      expect(await list(urlOf(servers))).toMatchObject({ code: 0, stdout: expect.stringContaining(said), stderr: '' })
    })
    test('database and prefix of Redis are those of the address', async () => {
      const url = `${servers.redis.url}/5?prefix=myapp`
      const backend = await backendNamed(url)
      const locks = createLocks(backend.open)
      const lease = await locks.acquire('sku-45')
      expect((await list(url)).stdout).toContain('sku-45')
      for (const other of ['/5', '/4?prefix=myapp'])
        expect((await list(`${servers.redis.url}${other}`)).stdout).not.toContain('sku-45')
      await lease.release()
      await locks.close()
    })
    test('credentials of ZooKeeper open what they have made, and others do not', async () => {
      const urlAs = (who: string) => `zookeeper://${who}${servers.zookeeper.servers}/guarded`
      const backend = await backendNamed(urlAs('ops:sesame@'))
      const locks = createLocks(backend.open)
      const lease = await locks.acquire('sku-46')
      expect((await list(urlAs('ops:sesame@'))).stdout).toContain('sku-46')
      for (const who of ['', 'ops:wrong-one@']) {
        const { code, stderr } = await list(urlAs(who))
        expect([code, stderr]).toEqual([4, expect.stringContaining('[LOCKSTEP_CONFIGURATION]')])
        expect(stderr).not.toContain('wrong-one')
      }
      await lease.release()
      await locks.close()
    })

    test.each([
      ['mysql://u:sesame@here', 2],
      ['redis', 2],
      ['', 2],
      ['redis://:sesame@', 2],
      ['redis://:sesame@127.0.0.1:0', 2],
      ['redis://:sesame@127.0.0.1/two', 2],
      ['redis://127.0.0.1:1,redis://127.0.0.1:2', 2],
      ['redis://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3', 2],
      ['redis://a?prefix=x,redis://b?prefix=y,redis://c', 2],
      ['redis://127.0.0.1:1?ca=/etc/hosts', 2],
      ['rediss://127.0.0.1:1?ca=/no/such.pem', 2],
      ['zookeeper://only-a-user@127.0.0.1:1', 2],
      ['etcd://only-a-user@127.0.0.1:1', 2],
      ['etcd://127.0.0.1:1/path', 2],
      ['etcd://127.0.0.1:1?prefix=without-a-slash', 2],
      ['postgres://u:sesame@127.0.0.1:1/none?schema=No-Schema', 2],
      ['redis://:sesame@127.0.0.1:1', 5],
      ['redis://127.0.0.1:1,redis://127.0.0.1:2,redis://127.0.0.1:3', 5],
      ['zookeeper://u:sesame@127.0.0.1:1', 5],
      ['etcd://u:sesame@127.0.0.1:1', 5],
      ['postgres://u:sesame@127.0.0.1:1/none', 5],
      ['postgres+advisory://u:sesame@127.0.0.1:1/none', 5],
    ])('the backend %j ends with one clear error and exit code %i', async (backend, code) => {
      const ended = await list(backend)
      expect([ended.code, ended.stdout]).toEqual([code, ''])
      expect(ended.stderr).toMatch(/^lockstep: .*\[LOCKSTEP_(CONFIGURATION|LOCK_UNAVAILABLE)\]\n {2}\S.*\n$/)
      expect(ended.stderr).not.toContain('sesame')
    })
    test('a reason and a token are asked for', async () => {
      const backend = ['--backend', 'redis://127.0.0.1:1']
      const release = (...more: string[]) => commandHere(['locks', 'release', 'a', ...more, ...backend])
      expect((await release('--token', '1')).code).toBe(2)
      expect((await release('--reason', 'why')).code).toBe(2)
      expect(await release('--reason', 'why', '--token', 'x')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('CONFIGURATION'),
      })
      expect(await release('--reason', ' ', '--token', '1')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('CONFIGURATION'),
      })
      expect((await commandHere(['locks', 'list'])).code).toBe(2)
    })
  })
