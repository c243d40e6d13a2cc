/** The examples of locks on real servers. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  startLockServers,
  testsWithEtcd,
  testsWithPostgres,
  testsWithRedis,
  testsWithZooKeeper,
} from '@lockstep/testkit'
import { expect, it } from 'vitest'

const fromSource = ['--conditions=lockstep-source', '--disable-warning=ExperimentalWarning']

/** Not spawnSync: the servers are children of this process. */
function run(script: string, ...more: string[]): Promise<{ code: number | null; said: string }> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [...fromSource, path, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.on('data', (chunk) => {
      said += String(chunk)
    })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })))
}

it.each([
  ['10-fencing/fencing.ts', 'redis://127.0.0.1:1', 'cannot be reached'],
  ['09-locks/locks.ts', 'redis=redis://127.0.0.1:1', 'cannot be reached'],
  ['09-locks/locks.ts', 'postgres=postgres://127.0.0.1:1/none', 'ECONNREFUSED'],
  ['09-locks/locks.ts', 'etcd=http://127.0.0.1:1', 'ECONNREFUSED'],
  ['09-locks/locks.ts', 'zookeeper=127.0.0.1:1', 'no server within'],
  ['09-locks/locks.ts', 'redis', 'is no backend with its server'],
  ['09-locks/locks.ts', 'mysql=there', 'is no backend with its server'],
])('%s %s ends with one line that says why', async (script, argument, why) => {
  const { code, said } = await run(script, argument)
  expect([code, said]).toEqual([1, expect.stringContaining(why)])
  expect(said.trimEnd().split('\n')).toHaveLength(1)
})

if (testsWithRedis()) {
  it('10-fencing: a paused holder tries to write and is refused', async () => {
    const { code, said } = await run('10-fencing/fencing.ts')
    expect(said).toContain('the first holder is refused: price has seen a newer one')
    expect(said).toContain('fenced: 20\nunfenced: 10, the newer price is lost')
    expect(code).toBe(0)
  })
  if (testsWithZooKeeper() && testsWithEtcd() && testsWithPostgres())
    it('09-locks: one body, every backend', { timeout: 90_000 }, async () => {
      const { redis, masters, zookeeper, etcd, postgres, stop } = await startLockServers()
      const { code, said } = await run(
        '09-locks/locks.ts',
        'memory',
        `redis=${redis.url}`,
        `redlock=${masters.urls.join(',')}`,
        `zookeeper=${zookeeper.servers}`,
        `zookeeper-ephemeral=${zookeeper.servers}`,
        `etcd=${etcd.endpoints.join(',')}`,
        `postgres=${postgres.url}`,
        `postgres-advisory=${postgres.url}`,
      ).finally(stop)
      expect([code, said]).toEqual([0, expect.not.stringContaining('rror')])
      expect(said.match(/30 of 30 seats sold once each/g)).toHaveLength(8)
    })
}
