/** `lockstep locks` where the server refuses, is silent, or wants TLS: one clear error, soon, and never a password. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  freePorts,
  type RunningEtcd,
  type RunningRedis,
  startEtcd,
  startRedis,
  testsWithEtcd,
  testsWithRedis,
} from '@lockstep/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from './child-process.ts'
import { commandHere } from './command-here.ts'

const list = (backend: string) => commandHere(['locks', 'list', '--backend', backend])
const opened: { server: Server; sockets: Set<Socket> }[] = []

afterAll(async () => {
  for (const { server, sockets } of opened.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A server of bytes; answers its address. */
async function fakeServer(answer: (socket: Socket, bytes: Buffer) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => answer(socket, bytes))
  })
  opened.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

describe('a server that takes connections and says nothing is given up within seconds', () => {
  let host: string
  beforeAll(async () => {
    host = await fakeServer(() => {})
  })

  // As processes: whatever were left open would keep one alive.
  test.concurrent.each([
    'redis://:sesame@HOST',
    'rediss://HOST',
    'redis://HOST/0,redis://HOST/1,redis://HOST/2',
    'zookeeper://u:sesame@HOST',
    'zookeepers://HOST',
    'etcd://u:sesame@HOST',
    'etcds://HOST',
    'postgres://u:sesame@HOST/db',
    'postgres+advisory://u:sesame@HOST/db',
  ])('%s', async (backend) => {
    const startedMs = performance.now()
    const { code, stderr } = await runCommand(['locks', 'list', '--backend', backend.replaceAll('HOST', host)])
    expect([code, stderr]).toEqual([5, expect.stringContaining('[LOCKSTEP_LOCK_UNAVAILABLE]')])
    expect(stderr.split('\n')).toHaveLength(3)
    expect(stderr).not.toContain('sesame')
    expect(performance.now() - startedMs).toBeLessThan(15_000)
  })
})

describe('a password is not told', () => {
  test('where a Redis that does not know the command says what it was sent', async () => {
    const host = await fakeServer((socket, bytes) => {
      const sent = String(bytes).replaceAll(/\r\n/g, ' ')
      socket.write(`-ERR unknown command, with args beginning with: ${sent}\r\n`.repeat(5))
    })
    const { code, stderr } = await list(`redis://ops:sesame%2Fopen@${host}`)
    expect(code).not.toBe(0)
    expect(stderr).toContain('args beginning with')
    expect(stderr).not.toContain('sesame')
  })

  test('where a PostgreSQL refuses it, and says so', async () => {
    const host = await fakeServer((socket, bytes) => {
      if (bytes[0] !== 'p'.charCodeAt(0)) return socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]))
      const fields = 'SFATAL\0C28P01\0Mpassword authentication failed for sesame\0\0'
      const head = Buffer.from([0x45, 0, 0, 0, 4 + fields.length])
      return socket.end(Buffer.concat([head, Buffer.from(fields)]))
    })
    for (const scheme of ['postgres', 'postgres+advisory']) {
      const { code, stderr } = await list(`${scheme}://ops:sesame@${host}/db`)
      expect([code, stderr]).toEqual([4, expect.stringContaining('[LOCKSTEP_CONFIGURATION]')])
      expect(stderr).toContain('authentication failed for …')
    }
  })

  test('where a URL stands in the place of something else', async () => {
    const url = 'redis://ops:sesame@127.0.0.1:1'
    for (const args of [['list', url], [url], ['show', url], ['show', url, '--backend', url]]) {
      const { code, stderr } = await commandHere(['locks', ...args], { LOCKSTEP_LOCKS: url })
      expect([code, stderr]).toEqual([2, expect.not.stringContaining('sesame')])
    }
  })
})

test('rediss, zookeepers and etcds speak TLS', async () => {
  const handshake = 0x16
  const schemes = ['rediss', 'zookeepers', 'zookeepers+ephemeral', 'etcds']
  const spoken = schemes.map(async (scheme) => {
    const first: number[] = []
    const host = await fakeServer((socket, bytes) => {
      first.push(bytes[0] ?? 0)
      socket.destroy()
    })
    await runCommand(['locks', 'list', '--backend', `${scheme}://${host}`])
    return [scheme, ...new Set(first)]
  })
  expect(await Promise.all(spoken)).toEqual(schemes.map((scheme) => [scheme, handshake]))
})

if (testsWithRedis())
  describe('a Redis with a password and TLS', () => {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-locks-command-'))
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    let redis: RunningRedis
    let tlsPort: number
    beforeAll(async () => {
      makeCertificate(key, certificate)
      ;[tlsPort = 0] = await freePorts(1)
      const tls = { 'tls-port': tlsPort, 'tls-cert-file': certificate, 'tls-key-file': key, 'tls-auth-clients': 'no' }
      redis = await startRedis({ private: true, settings: { requirepass: 'sesame,open', ...tls } })
    })
    afterAll(async () => {
      await redis?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    test.each([
      ['the password', 'redis://:sesame%2Copen@PLAIN', 0, ''],
      ['user and password', 'redis://default:sesame,open@PLAIN/2', 0, ''],
      ['none', 'redis://PLAIN', 4, 'CONFIGURATION'],
      ['a wrong one', 'redis://:wrong-one@PLAIN', 4, 'CONFIGURATION'],
      ['a user that does not exist', 'redis://ops:sesame,open@PLAIN', 4, 'CONFIGURATION'],
      ['a certificate that we believe', `rediss://:sesame,open@TLS?ca=${certificate}`, 0, ''],
      ['a certificate that nobody vouches for', 'rediss://:sesame,open@TLS', 5, 'UNAVAILABLE'],
    ])('with %s', async (_name, backend, code, said) => {
      const plain = redis.url.replace('redis://', '')
      const ended = await list(backend.replace('PLAIN', plain).replace('TLS', `127.0.0.1:${tlsPort}`))
      expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(said)])
      expect(ended.stderr).not.toMatch(/sesame|wrong-one/)
    })
  })

if (testsWithEtcd())
  describe('an etcd with users', () => {
    let etcd: RunningEtcd
    let host: string
    beforeAll(async () => {
      etcd = await startEtcd({ private: true })
      const [endpoint = ''] = etcd.endpoints
      host = endpoint.replace('http://', '')
      const post = (path: string, body: object) =>
        fetch(`${endpoint}/v3/auth/${path}`, { method: 'POST', body: JSON.stringify(body) })
      await post('role/add', { name: 'root' })
      await post('user/add', { name: 'root', password: 'sesame' })
      await post('user/grant', { user: 'root', role: 'root' })
      await post('enable', {})
    })
    afterAll(() => etcd?.stop())

    test.each([
      ['the password', 'root:sesame@', 0, ''],
      ['none', '', 4, 'CONFIGURATION'],
      ['a wrong one', 'root:wrong-one@', 4, 'CONFIGURATION'],
    ])('with %s', async (_name, who, code, said) => {
      const ended = await list(`etcd://${who}${host}`)
      expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(said)])
      expect(ended.stderr).not.toMatch(/sesame|wrong-one/)
    })
  })

function makeCertificate(key: string, certificate: string): void {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-keyout', key, '-out', certificate]
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    ...subject,
    ...files,
  ])
  if (made.status !== 0) throw new Error(`openssl makes no certificate: ${String(made.stderr)}`)
}
