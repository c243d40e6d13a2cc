import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../../test/etcd-lab.ts'
import { type Etcd, type EtcdOptions, openEtcd, type WatchEvent } from '../index.ts'

type Answer = (path: string, body: string, response: ServerResponse, request: IncomingMessage) => void

const closing: (() => void)[] = []

/** Answers as a test says, and notes what was asked. */
async function fakeMember(answer: Answer) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (text) => (body += text))
    request.on('end', () => {
      asked.push(`${request.url} ${body}`)
      answer(request.url ?? '', body, response, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const ok: Answer = (_path, _body, response) => response.end('{"header":{"revision":"7"}}')
const silent: Answer = () => {}
const reset: Answer = (_path, _body, response) => response.destroy()
const nobody = 'http://127.0.0.1:1'

function client(endpoints: string[], options: Partial<EtcdOptions> = {}): Etcd {
  const etcd = openEtcd({ endpoints, requestTimeoutMs: 300, ...options })
  closing.push(() => etcd.close())
  return etcd
}

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

describe('a call', () => {
  const put = { key: 'k', value: 'v' }

  test('that was not sent goes to the next endpoint, also when it must not be repeated', async () => {
    const member = await fakeMember(ok)
    expect(await client([nobody, member.endpoint]).put(put)).toBe(7n)
  })

  test('that nobody took is told as not sent', async () => {
    await expect(client([nobody]).put(put)).rejects.toMatchObject({ outcome: 'not-sent' })
  })

  test('without an answer is unknown, and only repeated when that does no harm', async () => {
    for (const lost of [silent, reset]) {
      const [first, second] = [await fakeMember(lost), await fakeMember(ok)]
      const endpoints = [first.endpoint, second.endpoint]
      await expect(client(endpoints).put(put)).rejects.toMatchObject({ outcome: 'unknown' })
      expect(second.asked).toEqual([])
      expect(await client(endpoints).put(put, { repeatable: true })).toBe(7n)
    }
  })

  test('is unknown when one try may have arrived, although the last was not sent', async () => {
    const first = await fakeMember(reset)
    const call = client([first.endpoint, nobody]).put(put, { repeatable: true })
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' })
  })

  test('that was refused is not repeated anywhere', async () => {
    const first = await fakeMember((_path, _body, response) => {
      response.writeHead(404).end('{"error":"etcdserver: requested lease not found","code":5}')
    })
    const second = await fakeMember(ok)
    const call = client([first.endpoint, second.endpoint]).put(put, { repeatable: true })
    await expect(call).rejects.toMatchObject({ outcome: 'refused', status: 5 })
    expect(second.asked).toEqual([])
  })

  test('that a server gave up with "timed out" may have happened', async () => {
    const member = await fakeMember((_path, _body, response) => {
      response.writeHead(503).end('{"error":"etcdserver: request timed out","code":14}')
    })
    await expect(client([member.endpoint]).put(put)).rejects.toMatchObject({ outcome: 'unknown', status: 14 })
  })

  test('ends at its deadline over all endpoints together', async () => {
    const members = await Promise.all([fakeMember(silent), fakeMember(silent), fakeMember(silent)])
    const startedMs = performance.now()
    const etcd = client(members.map(({ endpoint }) => endpoint))
    await expect(etcd.range({ key: 'k' })).rejects.toMatchObject({ outcome: 'unknown' })
    expect(performance.now() - startedMs).toBeLessThan(600)
    expect(members.map(({ asked }) => asked.length)).toEqual([1, 1, 1])
  })

  test('after close is refused, and what was open then ends', async () => {
    const member = await fakeMember(silent)
    const etcd = client([member.endpoint], { requestTimeoutMs: 60_000 })
    const call = etcd.put(put)
    const outcome = expect(call).rejects.toMatchObject({ outcome: 'unknown' })
    await until('it has arrived', () => member.asked.length === 1)
    etcd.close()
    await outcome
    await expect(etcd.put(put)).rejects.toMatchObject({ outcome: 'not-sent' })
  })

  test('that waits for a socket ends with the client as well', async () => {
    const member = await fakeMember(silent)
    const etcd = client([member.endpoint], { requestTimeoutMs: 60_000, socketsMax: 2 })
    const calls = Array.from({ length: 6 }, () => etcd.put(put).catch((error: { outcome: string }) => error.outcome))
    await until('two have arrived', () => member.asked.length === 2)
    etcd.close()
    const outcomes = await Promise.all(calls)
    expect(outcomes.filter((outcome) => outcome === 'unknown')).toHaveLength(2)
    expect(outcomes.filter((outcome) => outcome === 'not-sent')).toHaveLength(4)
    expect(member.asked).toHaveLength(2)
  })

  test('tells of a txn whether an earlier endpoint may do it once more', async () => {
    const [lost, member] = [await fakeMember(reset), await fakeMember(ok)]
    const etcd = client([lost.endpoint, member.endpoint])
    const txn = () => etcd.txn({ compare: [], success: [] }, { repeatable: true })
    expect([(await txn()).mayComeAgain, (await txn()).mayComeAgain]).toEqual([true, false])
  })

  test('gets a new token when the old one has run out', async () => {
    let tokens = 0
    const member = await fakeMember((path, _body, response, request) => {
      if (path.endsWith('authenticate')) {
        tokens += 1
        response.end(`{"token":"t${tokens}"}`)
      } else if (request.headers.authorization === 't2') ok(path, '', response, request)
      else response.writeHead(401).end('{"error":"etcdserver: invalid auth token","code":16}')
    })
    expect(await client([member.endpoint], { username: 'u', password: 'p' }).put(put)).toBe(7n)
    expect(tokens).toBe(2)
  })
})

describe('a watch', () => {
  const say = (response: ServerResponse, result: object): void => void response.write(`${JSON.stringify({ result })}\n`)
  const deletion = (key: string, revision: number) => ({
    type: 'DELETE',
    kv: { key: Buffer.from(key).toString('base64'), mod_revision: String(revision) },
  })

  test('goes on behind the last event after a reset, and not behind a header that runs ahead', async () => {
    let streams = 0
    const starts: string[] = []
    const member = await fakeMember((_path, body, response) => {
      streams += 1
      starts.push(JSON.parse(body).create_request.start_revision)
      say(response, { header: { revision: '90' }, created: true })
      if (streams === 1) {
        say(response, { header: { revision: '90' }, events: [deletion('a', 11)] })
        setTimeout(() => response.destroy(), 20)
      } else say(response, { header: { revision: '90' }, events: [deletion('b', 12)] })
    })
    const events: WatchEvent[] = []
    const watch = client([member.endpoint]).watch({
      key: 'a',
      fromRevision: 10n,
      onEvents: (some) => events.push(...some),
      onGap: () => {},
    })
    await until('both have come', () => events.length === 2)
    expect(starts).toEqual(['10', '12'])
    expect(events.map(({ entry }) => entry.key)).toEqual(['a', 'b'])
    expect(watch.seenRevision).toBe(12n)
  })

  test('tells a gap, and ends, when the server has compacted', async () => {
    const member = await fakeMember((_path, _body, response) => {
      say(response, { created: true })
      say(response, { canceled: true, compact_revision: '40' })
    })
    const gap = await new Promise<bigint>((resolve) => {
      client([member.endpoint]).watch({ key: 'a', fromRevision: 10n, onEvents: () => {}, onGap: resolve })
    })
    expect(gap).toBe(40n)
    expect(member.asked).toHaveLength(1)
  })

  test('on which a probe is not seen is left for another endpoint', async () => {
    const dead = await fakeMember((_path, _body, response) => say(response, { created: true }))
    const alive = await fakeMember((_path, _body, response) => {
      say(response, { created: true })
      say(response, { header: { revision: '11' }, events: [deletion('a', 11)] })
    })
    const events: WatchEvent[] = []
    client([dead.endpoint, alive.endpoint]).watch({
      key: 'a',
      fromRevision: 10n,
      onEvents: (some) => events.push(...some),
      onGap: () => {},
      probe: { everyMs: 20, withinMs: 30, write: async () => 11n },
    })
    await until('the event has come', () => events.length === 1, 2_000)
    expect(dead.asked).toHaveLength(1)
  })

  test('that says nothing at all is opened elsewhere', async () => {
    const [dead, alive] = [
      await fakeMember(silent),
      await fakeMember((_path, _body, response) => say(response, { created: true, events: [deletion('a', 11)] })),
    ]
    const events: WatchEvent[] = []
    client([dead.endpoint, alive.endpoint]).watch({
      key: 'a',
      fromRevision: 10n,
      onEvents: (some) => events.push(...some),
      onGap: () => {},
    })
    await until('the event has come', () => events.length === 1, 2_000)
  })
})
