/** The network that the workers have. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Link, startLink } from './link.ts'

let server: Server
let link: Link
let heard: string[]
const accepted: Socket[] = []
const clients: Socket[] = []

/** Answers what it hears. */
beforeEach(async () => {
  heard = []
  server = createServer((socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard.push(String(bytes))
      socket.write(`re ${bytes}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  link = await startLink(typeof address === 'object' && address !== null ? address.port : 0)
})

afterEach(async () => {
  for (const socket of [...clients.splice(0), ...accepted.splice(0)]) socket.destroy()
  await link.close()
  await new Promise((resolve) => server.close(resolve))
})

async function client() {
  const socket = connect(link.port, '127.0.0.1')
  clients.push(socket)
  const seen = { answers: '', isClosed: false }
  socket.on('data', (bytes) => {
    seen.answers += String(bytes)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    seen.isClosed = true
  })
  const say = (text: string) => socket.write(text)
  say('a')
  await expect.poll(() => seen.answers).toBe('re a')
  return { seen, say }
}

it('a black hole swallows both directions and tells nobody', async () => {
  const { seen, say } = await client()
  link.blackHole()
  say('b')
  for (const socket of accepted) socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([heard, seen]).toEqual([['a'], { answers: 're a', isClosed: false }])
})

it('without answers, what is sent arrives all the same', async () => {
  const { seen, say } = await client()
  link.dropAnswers()
  say('b')
  await expect.poll(() => heard).toEqual(['a', 'b'])
  expect(seen.answers).toBe('re a')
})

it('half-open, the server has lost the connection, the client has not heard, and a new one passes', async () => {
  const { seen } = await client()
  link.halfOpen()
  await expect.poll(() => accepted[0]?.destroyed).toBe(true)
  await client()
  expect(seen.isClosed).toBe(false)
})

it('healed, what was open breaks and what is new passes', async () => {
  const { seen } = await client()
  link.blackHole()
  link.heal()
  await expect.poll(() => seen.isClosed).toBe(true)
  await client()
})

it('cut, both ends are told', async () => {
  const { seen } = await client()
  link.cut()
  await expect.poll(() => [seen.isClosed, accepted[0]?.destroyed]).toEqual([true, true])
})
