import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandHere } from './command-here.ts'
import { type InProcessServer, inProcessServer } from './in-process-server.ts'
import { freePort, json, type PlainParticipant, plainParticipant } from './plain-participant.ts'

let server: InProcessServer
let bank: PlainParticipant
let client: { LOCKSTEP_URL: string }

beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/never', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
  bank.on('/no', () => json({ code: 'poor\u001b[31m' }, 409))
  server = await inProcessServer()
  client = { LOCKSTEP_URL: server.url }
  const step = (name: string, path: string) => ({ name, action: `${bank.url}${path}`, compensate: `${bank.url}/undo` })
  await server.begin({
    id: 'done',
    pattern: 'saga',
    wait: 5000,
    labels: { order: '42' },
    steps: [step('debit', '/yes')],
  })
  await server.begin({
    id: 'refused',
    pattern: 'saga',
    wait: 5000,
    steps: [step('debit', '/yes'), step('credit', '/no')],
  })
  await server.begin({ id: 'open', pattern: 'saga', steps: [step('debit', '/never')] })
})

afterAll(async () => {
  await server.stop()
  await bank.close()
})

describe('the client commands', () => {
  it('list shows what the server has, filtered', async () => {
    const { code, stdout } = await commandHere(['list'], client)
    expect(code).toBe(0)
    expect(stdout.split('\n').map((line) => line.split(/\s+/)[0])).toEqual(['ID', 'open', 'refused', 'done', ''])
    const filtered = await commandHere(['list', '--label', 'order=42', '--json'], client)
    expect(JSON.parse(filtered.stdout)).toMatchObject({ items: [{ id: 'done', status: 'committed' }], next: null })
  })

  it('show prints steps and attempts, and no escape sequence of a participant', async () => {
    const { code, stdout } = await commandHere(['show', 'refused'], client)
    expect(code).toBe(0)
    expect(stdout).toMatch(/STEP +STATE +ATTEMPTS\ndebit +reversed +2\ncredit +refused +1\n/)
    expect(stdout).toMatch(/credit +action +1 +\S+ +\d+ +refused /)
    expect(stdout).not.toContain('\u001b')
    expect(JSON.parse((await commandHere(['show', 'done', '--json'], client)).stdout)).toMatchObject({
      id: 'done',
      branches: [{ state: 'done' }],
    })
  })

  it('actions change a transaction and print what it became', async () => {
    const hold = await commandHere(['hold', 'open', '--reason', 'moving the bank'], client)
    expect(hold).toMatchObject({ code: 0, stdout: 'open: committing, held: operator\n' })
    const held = await commandHere(['list', '--held'], client)
    expect(held.stdout.split('\n').map((line) => line.split(/\s+/).slice(0, 4))).toEqual([
      ['ID', 'PATTERN', 'STATUS', 'HELD'],
      ['open', 'saga', 'committing', 'operator'],
      [''],
    ])
    const others = await commandHere(['list', '--held', 'false', '--json'], client)
    expect(JSON.parse(others.stdout)).toMatchObject({ items: [{ id: 'refused' }, { id: 'done' }] })
    const shown = await commandHere(['show', 'open'], client)
    expect(shown.stdout).toMatch(/held +operator, by operator, for \d+s: moving the bank/)
    const resume = await commandHere(['resume', 'open', '--reason', 'moved', '--json'], client)
    expect(JSON.parse(resume.stdout)).toMatchObject({ id: 'open', held: null })
    expect((await commandHere(['retry', 'open', '--reason', 'x', '--branch', 'debit'], client)).code).toBe(0)
    expect((await commandHere(['force-rollback', 'open', '--reason', 'x'], client)).code).toBe(0)
  })

  it('show prints the branches of a TCC, and the producer of a message as the branch _local', async () => {
    await server.begin({ id: 'trip', pattern: 'tcc' })
    expect((await commandHere(['show', 'trip'], client)).stdout).toMatch(/\n\nno branches\n$/)
    const seat = { name: 'seat', confirm: `${bank.url}/yes`, cancel: `${bank.url}/undo` }
    await server.post('/v1/transactions/trip/branches', seat)
    expect((await commandHere(['show', 'trip'], client)).stdout).toMatch(/BRANCH +STATE +ATTEMPTS\nseat +waiting +0\n$/)
    await server.post('/v1/transactions/trip/rollback?wait=5000')
    const cancelled = (await commandHere(['show', 'trip'], client)).stdout
    expect(cancelled).toMatch(/\nreason +no branch: /)
    expect(cancelled).toMatch(/\nseat +reversed +1\n/)
    expect(cancelled).toMatch(/\nseat +cancel +1 +\S+ +\d+ +done/)

    bank.on('/check', () => json({ decision: 'rollback' }))
    const deliveries = [{ to: `${bank.url}/points` }]
    await server.begin({
      id: 'paid',
      pattern: 'message',
      checkBack: `${bank.url}/check`,
      checkAfter: 60_000,
      deliveries,
    })
    await server.post('/v1/transactions/paid/rollback')
    await server.get('/v1/transactions/paid?wait=5000')
    const { stdout } = await commandHere(['show', 'paid'], client)
    expect(stdout).toMatch(/^paid {2}message {2}rolled-back\n/)
    expect(stdout).toMatch(/\nreason +_local: /)
    expect(stdout).toMatch(/BRANCH +STATE +ATTEMPTS\n1 +waiting +0\n_local +done +1\n/)
    expect(stdout).toMatch(/\n_local +check +1 +\S+ +\d+ +done/)
    const listed = await commandHere(['list', '--pattern', 'message', '--json'], client)
    expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ id: 'paid', pattern: 'message' }] })
  })

  const codes: readonly (readonly [args: string[], code: number, says: string])[] = [
    [['show', 'nobody'], 3, 'LOCKSTEP_NOT_FOUND'],
    [['retry', 'nobody', '--reason', 'x'], 3, 'LOCKSTEP_NOT_FOUND'],
    [['force-rollback', 'done', '--reason', 'x'], 4, 'LOCKSTEP_ACTION_NOT_ALLOWED'],
    [['show', '../etc'], 2, 'A transaction id is'],
    [['list', '--status', 'done'], 2, '?status must be one of'],
    [['list', '--limit', '1000'], 2, '?limit'],
    [['list', '--held', 'maybe'], 2, '?held must be one of'],
    [['list', '--label', 'order'], 2, 'key=value'],
    [['list', '--url', 'nowhere'], 2, 'http or https'],
    [['retry', 'open'], 2, '--reason'],
    [['skip', 'open', '--reason', 'x'], 2, '--branch'],
    [['hold', 'open', '--reason', 'x', '--branch', 'debit'], 2, '--branch'],
    [['show'], 2, 'id'],
    [['show', 'a', 'b'], 2, 'too many arguments'],
    [['explode'], 2, "unknown command 'explode'"],
    [['list', '--colour'], 2, "unknown option '--colour'"],
    [[], 2, 'Usage: lockstep'],
    [['migrate'], 2, 'Usage: lockstep migrate'],
    [['migrate', 'barrier', '--dialect', 'oracle'], 2, 'postgres'],
  ]

  it.for(codes)('%j ends with %i', async ([args, code, says]) => {
    const finished = await commandHere(args, client)
    expect(finished).toMatchObject({ code })
    expect(finished.stderr).toContain(says)
    expect(finished.stderr).not.toMatch(/\n\s+at /)
  })

  it('end with 5 when nobody answers, or somebody else does', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const finished = await commandHere(['list', '--url', url, '--json'])
    expect(finished.code).toBe(5)
    expect(JSON.parse(finished.stdout)).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE' })
    const other = createServer((_, response) => response.end('<html>'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const strange = await commandHere(['list', '--url', `http://127.0.0.1:${(other.address() as AddressInfo).port}`])
    expect(strange).toMatchObject({ code: 5, stderr: expect.stringContaining('not as a Lockstep coordinator') })
    other.close()
  })

  it('print a problem as JSON too', async () => {
    const { code, stdout } = await commandHere(['show', 'nobody', '--json'], client)
    expect([code, JSON.parse(stdout)]).toMatchObject([
      3,
      { status: 404, code: 'LOCKSTEP_NOT_FOUND', next: expect.any(String) },
    ])
  })

  it('list names the patterns it can be asked for', async () => {
    const { stdout } = await commandHere(['list', '--help'])
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'saga, tcc, xa, message, notification, none (rolled back before it was',
    )
  })

  it('explain themselves, each with an example', async () => {
    expect(await commandHere(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    const names = [
      'serve',
      'list',
      'show',
      'retry',
      'skip',
      'migrate up',
      'migrate status',
      'migrate sql',
      'migrate barrier',
    ]
    for (const name of names) {
      const help = await commandHere([...name.split(' '), '--help'])
      expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining(`$ lockstep ${name}`) })
    }
  })
})
