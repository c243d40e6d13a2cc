import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, type InProcessServer, inProcessServer } from './in-process-server.ts'
import { json, type PlainParticipant, plainParticipant } from './plain-participant.ts'

let server: InProcessServer
let bank: PlainParticipant
beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/no', () => json('x', 409))
  bank.on('/cut', () => json(`${'x'.repeat(493)}😀😀😀😀😀😀`, 409))
  bank.on('/nul', () => ({ status: 500, headers: { 'content-type': 'application/problem+json' }, body: '{"detail":"a\\u0000b"}' }))
  server = await inProcessServer()
})
afterAll(async () => {
  console.log(server.log)
  await server.stop()
  await bank.close()
})
const heldSoon = (id: string) => eventually(async () => (await server.get(`/v1/transactions/${id}`)).body, (b) => b['held'] !== null as never, 4000)
it('cut', async () => {
  await server.begin({ id: 'cut', pattern: 'saga', steps: [{ name: 'a', action: `${bank.url}/a`, compensate: `${bank.url}/cut` }, { name: 'bb', action: `${bank.url}/no` }] })
  await heldSoon('cut')
})
it('path', async () => {
  await server.begin({ id: 'path', pattern: 'saga', steps: [{ name: 'a', action: `${bank.url}/a` }, { name: 'bb', action: `${bank.url}/b`, input: { $output: 'a', path: '/x\u0000' } }] })
  await heldSoon('path')
})
it('spill', async () => {
  await server.begin({ id: 'spill', pattern: 'saga', steps: [{ name: 'a', action: `${bank.url}/nul` }] })
  for (let i = 0; i < 30; i++) {
    const r = await server.act('spill', { action: 'retry', reason: 'x' })
    if (r.status > 202) console.log(i, r.status, r.text)
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  const before = bank.paths().filter((p) => p === '/nul').length
  bank.on('/nul', () => json({}))
  await server.act('spill', { action: 'retry', reason: 'x' })
  await eventually(async () => (await server.get('/v1/transactions/spill')).body, (b) => b['status'] === ('committed' as never), 5000)
  expect(before).toBeGreaterThan(20)
})
