/** Alerts to a real receiver. Pauses run fast: a second is a hundredth of one. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeEnvironment } from '../environment/node.ts'
import { type Alert, type Environment, type Logger, silentLogger } from '../ports/index.ts'
import { type WebhookAlerts, type WebhookAlertsOptions, webhookAlerts } from './webhook-alerts.ts'

/** Time limits stay as they are where an answer is expected, or a slow machine would make a failure of it. */
function hurrying(haste: (delayMs: number) => number): Environment {
  const after: Environment['timers']['after'] = (delayMs, fire) =>
    nodeEnvironment.timers.after(delayMs / haste(delayMs), fire)
  return { ...nodeEnvironment, timers: { after } }
}
const hurried = hurrying((delayMs) => (delayMs === 10_000 ? 1 : 100))
const hurriedLimits = hurrying(() => 50)
const hurriedPauses = hurrying((delayMs) => (delayMs === 10_000 ? 1 : 10_000))

interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: { readonly [key: string]: unknown }
}

type Answerer = (response: ServerResponse, count: number, received: Received) => void

let server: Server
let url = ''
let received: Received[] = []
let answer: Answerer = (response) => void response.writeHead(204).end()
let lines: { readonly fields: { readonly [key: string]: unknown }; readonly message: string }[] = []
let alerts: WebhookAlerts | undefined

beforeEach(async () => {
  received = []
  lines = []
  answer = (response) => void response.writeHead(204).end()
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const one = { url: request.url ?? '', headers: request.headers, text, body: JSON.parse(text) }
      received.push(one)
      answer(response, received.filter(({ body }) => body['id'] === one.body['id']).length, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await alerts?.close()
  server.closeAllConnections()
  server.close()
})

const logger: Logger = {
  ...silentLogger,
  error: (fields, message) => void lines.push({ fields: fields as { [key: string]: unknown }, message }),
}

function open(options: Partial<WebhookAlertsOptions> = {}): WebhookAlerts {
  alerts = webhookAlerts({ url, environment: hurried, logger, ...options })
  return alerts
}

const alert = (id = 'order-42'): Alert => ({
  kind: 'held',
  id,
  pattern: 'message',
  status: 'committing',
  at: 1_700_000_000_123,
  reason: 'delivery-refused',
  detail: 'points: "no"',
})

const secret = `whsec_${Buffer.from('a secret of more than 24 bytes').toString('base64')}`
const answers = (status: number, headers: Record<string, string> = {}, body = ''): Answerer => {
  return (response) => void response.writeHead(status, headers).end(body)
}

describe('an alert', () => {
  it('is posted once, as the JSON that the documentation shows', async () => {
    open({ url: `${url}/hooks/lockstep?team=ops` }).raise(alert())
    await expect.poll(() => received).toHaveLength(1)
    await alerts?.close()
    expect(received).toHaveLength(1)
    expect(received[0]).toMatchObject({
      url: '/hooks/lockstep?team=ops',
      headers: { 'content-type': 'application/json' },
    })
    expect(received[0]?.body).toEqual({
      kind: 'held',
      id: 'order-42',
      pattern: 'message',
      status: 'committing',
      at: '2023-11-14T22:13:20.123Z',
      reason: 'delivery-refused',
      detail: 'points: "no"',
    })
    expect(received[0]?.headers).not.toHaveProperty('webhook-signature')
    expect(lines).toEqual([])
  })

  it('is signed as Standard Webhooks has it, with every secret', async () => {
    const second = `whsec_${Buffer.from('another one, just as long as it').toString('base64')}`
    open({ secret: [secret, second] }).raise(alert())
    await expect.poll(() => received).toHaveLength(1)
    const [{ headers, text }] = received as [Received]
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
    const signatures = [secret, second].map((one) => {
      const key = Buffer.from(one.slice('whsec_'.length), 'base64')
      return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
    })
    expect(headers['webhook-signature']).toBe(signatures.join(' '))
    expect(Math.abs(Date.now() / 1_000 - Number(headers['webhook-timestamp']))).toBeLessThan(10)
  })

  it.each<[string, Answerer]>([
    ['500', answers(500)],
    ['404', answers(404)],
    ['a redirect', answers(302, { location: '/elsewhere' })],
    ['a broken connection', (response) => void response.socket?.resetAndDestroy()],
  ])('that meets %s is sent again, and is recognised by its id', async (_what, badly) => {
    answer = (response, count, one) =>
      count < 3 ? badly(response, count, one) : void response.writeHead(200).end('ok')
    open({ secret }).raise(alert())
    await expect.poll(() => received, { timeout: 5_000 }).toHaveLength(3)
    await alerts?.close()
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(received.map((one) => one.url)).toEqual(['/', '/', '/'])
    expect(lines).toEqual([])
  })

  it('without an answer is sent again after its time limit', { timeout: 30_000 }, async () => {
    answer = () => {}
    open({ environment: hurrying(() => 500) }).raise(alert())
    await expect.poll(() => lines.map(({ fields }) => fields['error']), { timeout: 20_000 }).toHaveLength(1)
    expect([received.length, lines[0]?.fields['error']]).toEqual([16, 'no answer within 10000 ms'])
  })

  it('that is never taken is given up after sixteen tries, with a line that counts', async () => {
    answer = answers(500)
    open({ environment: hurriedPauses }).raise(alert('a'))
    await expect.poll(() => lines).toHaveLength(1)
    open({ environment: hurriedPauses }).raise(alert('b'))
    alerts?.raise(alert('c'))
    await expect.poll(() => lines).toHaveLength(3)
    expect(received).toHaveLength(48)
    expect(lines[0]).toEqual({
      fields: {
        id: 'a',
        pattern: 'message',
        status: 'committing',
        kind: 'held',
        url,
        error: 'HTTP 500',
        tries: 16,
        dropped: 1,
      },
      message: 'an alert was not delivered and is given up',
    })
    expect(lines.slice(1).map(({ fields }) => fields['dropped'])).toEqual([1, 2])
  })

  it('is taken with any 2xx, whatever comes with it', async () => {
    answer = answers(202, { 'content-type': 'text/html' }, 'x'.repeat(100_000))
    open().raise(alert())
    await expect.poll(() => received).toHaveLength(1)
    await alerts?.close()
    expect([received.length, lines]).toEqual([1, []])
  })

  it('is sent again no sooner than the receiver says', async () => {
    const times: number[] = []
    answer = (response, count) => {
      times.push(performance.now())
      response.writeHead(count === 1 ? 429 : 204, count === 1 ? { 'retry-after': '30' } : {}).end()
    }
    open({ environment: { ...hurried, random: { ...hurried.random, fraction: () => 0 } } }).raise(alert())
    await expect.poll(() => times).toHaveLength(2)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(290)
  })
})

describe('many alerts', () => {
  it('are sent a few at once, and one that is not taken holds up no other', async () => {
    let open4 = 0
    let most = 0
    answer = (response, _count, { body }) => {
      if (body['id'] === 'stuck') return
      open4 += 1
      most = Math.max(most, open4)
      setImmediate(() => {
        open4 -= 1
        response.writeHead(204).end()
      })
    }
    open({ environment: nodeEnvironment }).raise(alert('stuck'))
    for (let at = 0; at < 50; at++) alerts?.raise(alert(`n-${at}`))
    await expect.poll(() => received.filter(({ body }) => body['id'] !== 'stuck')).toHaveLength(50)
    expect(most).toBeLessThanOrEqual(3)
  })

  it('beyond the queue are dropped, with one line that counts them', async () => {
    const held: ServerResponse[] = []
    answer = (response) => void held.push(response)
    open({ queueMax: 10, environment: nodeEnvironment })
    for (let at = 0; at < 100; at++) alerts?.raise(alert(`n-${at}`))
    await expect.poll(() => held).toHaveLength(4)
    answer = answers(204)
    for (const response of held) response.writeHead(204).end()
    await alerts?.close()
    expect(received.map(({ body }) => body['id'])).toEqual(Array.from({ length: 14 }, (_, at) => `n-${at}`))
    expect(lines).toEqual([
      {
        fields: { url, count: 86, dropped: 86 },
        message: 'alerts were dropped: more were raised than the receiver takes',
      },
    ])
  })

  it('that are dropped are told while it goes on as well', async () => {
    answer = () => {}
    open({ queueMax: 1, environment: hurriedLimits })
    for (let at = 0; at < 100; at++) alerts?.raise(alert(`n-${at}`))
    await expect.poll(() => lines.map(({ fields }) => fields['count'])).toContain(95)
  })
})

describe('closing', () => {
  it('sends what is still there, and ends within its second whatever the receiver does', async () => {
    open({ environment: nodeEnvironment })
    for (let at = 0; at < 20; at++) alerts?.raise(alert(`n-${at}`))
    await alerts?.close()
    expect([received.length, lines]).toEqual([20, []])

    answer = () => {}
    open({ environment: nodeEnvironment })
    for (let at = 0; at < 20; at++) alerts?.raise(alert(`m-${at}`))
    const started = performance.now()
    await alerts?.close()
    expect(performance.now() - started).toBeLessThan(2_500)
    await expect.poll(() => lines).toHaveLength(5)
    expect(lines.map(({ fields }) => fields['count'] ?? 1).reduce((sum, one) => Number(sum) + Number(one))).toBe(20)
  })

  it('does not wait for the next try: it makes the last one at once', async () => {
    answer = answers(503, { 'retry-after': '3600' })
    open({ environment: nodeEnvironment }).raise(alert())
    await expect.poll(() => received).toHaveLength(1)
    await alerts?.close()
    expect(received).toHaveLength(2)
    expect(lines.map(({ fields }) => fields['tries'])).toEqual([2])
  })

  it('an alert that comes later is dropped, with a line', async () => {
    open()
    await alerts?.close()
    alerts?.raise(alert())
    expect(lines.map(({ fields }) => fields['count'])).toEqual([1])
    expect(received).toEqual([])
  })
})

it.each<Partial<WebhookAlertsOptions>>([
  { url: 'ftp://127.0.0.1' },
  { url: 'http://canary:canary@127.0.0.1' },
  { url: 'http://169.254.169.254/canary' },
  { url: 'canary' },
  { secret: 'canary' },
  { secret: 'whsec_c2hvcnQ=' },
])('settings such as %j are refused, in words that give no secret away', (options) => {
  expect(() => webhookAlerts({ url, environment: hurried, logger, ...options })).toThrowError(
    expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION', message: expect.not.stringContaining('canary') }),
  )
})
