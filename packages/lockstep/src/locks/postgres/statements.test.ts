import { createServer } from 'node:net'
import pg from 'pg'
import { expect, test } from 'vitest'
import { nodeEnvironment } from '../../environment/node.ts'
import { Statements } from './statements.ts'

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 0)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const ready = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]
const done = [message('C', Buffer.from('SELECT 0\0')), message('Z', Buffer.from('I'))]
const fatal = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))

/** A server that answers what comes first on each connection, then the second, and so on, with a chunk each. */
async function poolOver(chunks: readonly Buffer[][], max = 10) {
  const server = createServer((socket) => {
    const left = [...chunks]
    socket.on('error', () => {})
    socket.on('data', () => {
      const chunk = left.shift()
      if (chunk?.includes(fatal)) socket.end(Buffer.concat(chunk))
      else if (chunk) socket.write(Buffer.concat(chunk))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'x', database: 'x', max })
  pool.on('error', () => {})
  const close = async (): Promise<void> => {
    await pool.end()
    server.close()
  }
  return { pool, close }
}

// Without a listener, the error of a connection is an uncaught exception, which fails the run.
test('a connection that ends in the chunk that made it usable rejects the statement, and ends no process', async () => {
  const { pool, close } = await poolOver([[...ready, fatal]])
  await expect(new Statements(pool, nodeEnvironment.timers).run('select 1', undefined, 1_000)).rejects.toThrow()
  await close()
})

test('nor does one that ends in the chunk in which somebody else is done with it', async () => {
  const { pool, close } = await poolOver([ready, [...done, fatal]], 1)
  const statements = new Statements(pool, nodeEnvironment.timers)
  const users = pool.query('select 1')
  const ours = statements.run('select 2', undefined, 1_000)
  await users
  await expect(ours).rejects.toThrow()
  await close()
})

test('connections that the user takes keep no listener of ours, and the pool has one, however many use it', async () => {
  const { pool, close } = await poolOver([ready])
  for (let at = 0; at < 3; at++) new Statements(pool, nodeEnvironment.timers)
  const client = await pool.connect()
  expect([client.listenerCount('error'), pool.listenerCount('acquire')]).toEqual([0, 1])
  client.release(true)
  await close()
})
