import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts } from '../../testkit/src/services/service-process.ts'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { endOf } from '../test/fake-session.ts'
import { startTcpProxy } from '../test/tcp-proxy.ts'
import { makeTlsFiles } from '../test/tls-files.ts'
import { nextState } from '../test/until.ts'
import { openZooKeeper } from './index.ts'

if (testsWithZooKeeper())
  describe('over TLS', () => {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-tls-'))
    let server: RunningZooKeeper
    let address: string
    let certificate: string

    beforeAll(async () => {
      const files = makeTlsFiles(directory)
      const [port = 0] = await freePorts(1)
      certificate = files.certificate
      address = `127.0.0.1:${port}`
      server = await startZooKeeper({
        private: true,
        settings: {
          secureClientPort: port,
          secureClientPortAddress: '127.0.0.1',
          serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
          'ssl.clientAuth': 'none',
          'ssl.keyStore.location': files.keyStore,
          'ssl.keyStore.password': files.password,
        },
      })
    })
    afterAll(async () => {
      await server?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    test('a session is the same as without it, through a cut connection too', async () => {
      const proxy = await startTcpProxy(address)
      const zookeeper = openZooKeeper({ servers: proxy.address, tls: { ca: certificate }, sessionTimeoutMs: 20_000 })
      const states: string[] = []
      zookeeper.onChange(({ state }) => void states.push(state))
      const large = Buffer.alloc(500_000, 'x')
      await zookeeper.create('/tls', { mode: 'ephemeral', data: large })
      const suspended = nextState(zookeeper, 'suspended')
      proxy.cut()
      await suspended
      const { data, stat } = await zookeeper.getData('/tls')
      expect([data.equals(large), stat.ephemeralOwner]).toEqual([true, zookeeper.sessionId])
      expect(states).toEqual(['connected', 'suspended', 'connected'])
      expect(await zookeeper.close()).toBe(true)
      await proxy.close()
    })

    test('a server whose certificate nobody vouches for, or that is another one, is no server', async () => {
      for (const tls of [{}, { ca: certificate, servername: 'elsewhere.example' }]) {
        const zookeeper = openZooKeeper({ servers: address, tls, requestTimeoutMs: 500 })
        const cause = { message: expect.stringMatching(/certificate|altnames/i) }
        await expect(zookeeper.sync('/')).rejects.toMatchObject({ code: 'NOT_SENT', outcome: 'not-applied', cause })
        expect(await zookeeper.close()).toBe(false)
      }
    })

    test('a plain client of the secure port, and a secure one of the plain port, get no session', async () => {
      const clients = [
        openZooKeeper({ servers: address, requestTimeoutMs: 500 }),
        openZooKeeper({ servers: server.servers, tls: { ca: certificate }, requestTimeoutMs: 500 }),
      ]
      for (const zookeeper of clients) {
        expect(await endOf(zookeeper.create('/x'))).toBe('NOT_SENT not-applied')
        expect(await zookeeper.close()).toBe(false)
      }
    })

    test('options that are wrong are refused when it is opened', () => {
      expect(() =>
        openZooKeeper({ servers: address, tls: { ca: 'no certificate', key: 'no key', cert: 'none' } }),
      ).toThrow()
    })
  })
