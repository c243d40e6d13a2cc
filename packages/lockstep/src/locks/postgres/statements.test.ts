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

test('a connection that ends in the chunk that made it usable rejects the statement, and ends no process', async () => {
  const ready = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]
  const fatal = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([...ready, fatal])))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'x', database: 'x' })
  pool.on('error', () => {})
  const all = Array.from({ length: 3 }, () => new Statements(pool, nodeEnvironment.timers))
  expect(pool.listenerCount('connect')).toBe(1)
  // Without a listener, the error of the connection is an uncaught exception, which fails the run.
  await expect(all[0]?.run('select 1', undefined, 1_000)).rejects.toThrow()
  await pool.end()
  server.close()
})
