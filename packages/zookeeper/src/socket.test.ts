import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { listening } from '../test/tcp-proxy.ts'
import { isWithItself } from './socket.ts'

test('a socket that the system has connected with itself is recognised', async () => {
  const server = createServer()
  const port = Number((await listening(server)).split(':')[1])
  const other = dial(port, '127.0.0.1')
  await once(other, 'connect')
  expect(isWithItself(other)).toBe(false)
  other.destroy()
  await new Promise((resolve) => server.close(resolve))
  // Nobody listens there now, and the socket asks for this very port as its own.
  const itself: Socket = dial({ port, host: '127.0.0.1', localPort: port, localAddress: '127.0.0.1' })
  await once(itself, 'connect')
  expect(isWithItself(itself)).toBe(true)
  itself.destroy()
})
