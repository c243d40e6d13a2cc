import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../adapters/memory-database.ts'
import { nodeEnvironment } from '../environment/node.ts'
import { checkBack } from '../participant/check-back.ts'
import { participant } from '../participant/participant.ts'
import type { Call, ParticipantDefinition } from '../ports/index.ts'
import { httpTransport } from './http/http-transport.ts'
import { inProcessTransport } from './in-process.ts'
import { routingTransport } from './routing-transport.ts'
import { targetDirectory } from './target-directory.ts'

const db = memoryDatabase()
const signals: (AbortSignal | undefined)[] = []
const debit = participant('bank-a.debit', {
  input: z.object({ amount: z.number() }),
  action: (input, branch) => branch.transact(db, () => ({ amount: input.amount })),
})
const silent = participant('bank-a.silent', {
  input: z.null(),
  barrier: false,
  action: (_input, branch) => {
    signals.push(branch.signal)
    return new Promise<null>(() => {})
  },
})
const rude: ParticipantDefinition = {
  name: 'bank-a.rude',
  barrier: false,
  operations: ['action'],
  run: () => Promise.reject(new Error('not how it is done')),
}

const check = checkBack('bank-a', { pool: db })

function inProcess(participants: readonly ParticipantDefinition[] = [debit, silent, rude]) {
  return inProcessTransport({ participants, environment: nodeEnvironment, barrierDatabases: [memoryBarrier()] })
}

const call: Call = {
  target: 'bank-a.debit',
  operation: 'action',
  store: '1f2e3d4c',
  transaction: 'order-42',
  branch: 'debit',
  attempt: 1,
  begunAt: Date.now(),
  timeoutMs: 1_000,
  input: { amount: 5 },
  traceparent: null,
}

describe('the in-process transport', () => {
  it('carries outcomes unchanged', async () => {
    const transport = inProcess()
    expect(await transport.call(call)).toEqual({ kind: 'done', output: { amount: 5 } })
    expect(await transport.call({ ...call, input: {} })).toMatchObject({
      kind: 'refused',
      reason: { code: 'invalid-input' },
    })
    expect(await transport.call({ ...call, operation: 'confirm' })).toMatchObject({ kind: 'unknown' })
  })

  it('settles at the time limit, and tells the work that nobody waits', async () => {
    const outcome = await inProcess().call({ ...call, target: 'bank-a.silent', input: null, timeoutMs: 20 })
    expect(outcome).toMatchObject({ kind: 'unknown', code: 'timeout' })
    expect(outcome).not.toHaveProperty('unreached')
    expect(signals[0]?.aborted).toBe(true)
  })

  it('never rejects, even for a participant that does', async () => {
    const outcome = await inProcess().call({ ...call, target: 'bank-a.rude' })
    expect(outcome).toEqual({ kind: 'unknown', error: 'not how it is done' })
  })

  it('knows what it can call, and says unreached for the rest', async () => {
    const transport = inProcess()
    expect([transport.canCall('bank-a.debit'), transport.canCall('bank-b.debit')]).toEqual([true, false])
    expect(transport.endpointOf('bank-a.debit')).toBe('in-process:bank-a.debit')
    expect(await transport.call({ ...call, target: 'bank-b.debit' })).toMatchObject({
      kind: 'unknown',
      unreached: true,
    })
    await transport.close()
    expect(await transport.call(call)).toMatchObject({ kind: 'unknown', unreached: true })
  })

  it('asks a check-back by the bare name of its service', async () => {
    const transport = inProcess([debit, check])
    const asked = { ...call, target: 'bank-a', operation: 'check', branch: '_local' } as const
    expect([transport.canCall('bank-a'), await transport.call(asked)]).toEqual([
      true,
      { kind: 'done', output: { decision: 'rollback' } },
    ])
    expect(await transport.call({ ...asked, operation: 'action' })).toMatchObject({ kind: 'unknown' })
    expect(await inProcess().call(asked)).toMatchObject({ kind: 'unknown', unreached: true })
  })

  it('refuses two participants of one name', () => {
    for (const one of [debit, check]) {
      expect(() => inProcess([one, one])).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
    }
  })
})

describe('routing', () => {
  const services = new Map([['bank-a', { url: 'http://127.0.0.1:1/a', barrier: true }]])

  it('prefers the participant of this process to the service of the same name', async () => {
    const http = httpTransport({ environment: nodeEnvironment, services })
    const routing = routingTransport([inProcess(), http])
    expect(await routing.call(call)).toMatchObject({ kind: 'done' })
    expect(await routing.call({ ...call, target: 'bank-a.other' })).toMatchObject({ kind: 'unknown', unreached: true })
    expect([routing.endpointOf('bank-a.debit'), routing.endpointOf('bank-a.other')]).toEqual([
      'in-process:bank-a.debit',
      'http://127.0.0.1:1',
    ])
    expect([routing.canCall('bank-z.x'), await routing.call({ ...call, target: 'bank-z.x' })]).toMatchObject([
      false,
      { unreached: true },
    ])
    await routing.close()
  })

  it('hands over a copy of the input: what a participant does to it stays there', async () => {
    const greedy = participant('bank-a.greedy', {
      input: z.looseObject({ amount: z.number() }),
      barrier: false,
      action: (input) => {
        Object.assign(input, { amount: 0 })
        return null
      },
    })
    const transport = inProcessTransport({ participants: [greedy], environment: nodeEnvironment, barrierDatabases: [] })
    const input = { amount: 5 }
    expect(await transport.call({ ...call, target: 'bank-a.greedy', input })).toMatchObject({ kind: 'done' })
    expect(input).toEqual({ amount: 5 })
  })

  it('tells a begin what its targets are', () => {
    const directory = targetDirectory({ participants: [debit, rude], services, urls: 'registered' })
    const about = (target: string) => [
      directory.usesBarrier(target),
      directory.serviceOf(target),
      directory.refuses(target) === null && directory.forbids(target) === null,
    ]
    expect(about('bank-a.debit')).toEqual([true, 'bank-a', true])
    expect(about('bank-a.rude')).toEqual([false, 'bank-a', true])
    expect(about('http://127.0.0.1:1/a/x')).toEqual([true, 'bank-a', true])
    expect(about('http://127.0.0.1:1/ab')).toEqual([false, null, false])
    expect(about('http://u:p@127.0.0.1:1/a/x')).toEqual([false, null, false])
    expect(about('bank-z.debit')).toEqual([false, 'bank-z', true])
    expect(about('nonsense')).toEqual([false, 'nonsense', false])
    expect(about('non sense')).toEqual([false, null, false])
  })

  it('tells a begin what its check-back is: a URL, or the bare name of a service', () => {
    const directory = targetDirectory({ participants: [debit, check], services, urls: 'registered' })
    const about = (target: string) => [
      directory.usesBarrier(target),
      directory.serviceOf(target),
      directory.refuses(target, 'check-back'),
      directory.forbids(target),
    ]
    expect(about('bank-a')).toEqual([true, 'bank-a', null, null])
    expect(about('orders')).toEqual([false, 'orders', null, null])
    expect(about('http://127.0.0.1:1/a/check')).toEqual([true, 'bank-a', null, null])
    expect(directory.forbids('http://127.0.0.1:1/b')).toContain('registered')
    expect(targetDirectory({ services }).usesBarrier('bank-a')).toBe(true)
    for (const wrong of ['bank-a.debit', 'rabbitmq:paid', '_local', '', 'ftp://x/y', `${'a'.repeat(65)}`]) {
      expect([wrong, directory.refuses(wrong, 'check-back')]).toEqual([
        wrong,
        expect.stringContaining('name of a service'),
      ])
    }
    expect(directory.refuses('http://u:p@x/', 'check-back')).toContain('credentials')
    // The very same name is nothing that a step or a delivery could call.
    for (const as of [undefined, 'participant'] as const)
      expect(directory.refuses('bank-a', as)).toContain('<service>.<name>')
  })

  it('tells a begin that a broker is not configured, and what is possible', () => {
    const directory = targetDirectory({ participants: [debit], services })
    expect(directory.refuses('rabbitmq:order-paid')).toMatch(/https URL.*<service>\.<name>.*no broker.*"rabbitmq"/)
    expect(directory.refuses('rabbitmq:order.paid')).toContain('"rabbitmq"')
    for (const other of ['ftp://x/y', 'nonsense', ':x']) expect(directory.refuses(other)).not.toContain('broker')
  })

  it('forbids public addresses that nobody has registered, and no private ones', () => {
    const directory = targetDirectory({ services: new Map([['far', { url: 'http://8.8.4.4/far' }]]) })
    for (const target of ['http://8.8.8.8/x', 'http://[2001:4860:4860::8888]/x', 'http://134744072/x']) {
      expect([target, directory.forbids(target)]).toEqual([target, expect.stringContaining('public')])
    }
    for (const target of [
      'http://127.0.0.1/x',
      'http://10.1.2.3/x',
      'http://[::1]/x',
      'http://bank-a/x',
      'http://8.8.4.4/far/x',
    ]) {
      expect([target, directory.forbids(target)]).toEqual([target, null])
    }
  })
})
