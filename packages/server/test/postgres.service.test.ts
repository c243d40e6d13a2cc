import { type RunningPostgres, startPostgres, testsWithPostgres } from '@lockstep/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, workPlace } from './child-process.ts'
import { json, type PlainAnswer, type PlainParticipant, plainParticipant } from './plain-participant.ts'
import { send } from './raw-request.ts'

if (testsWithPostgres()) {
  describe('serve on PostgreSQL', () => {
    const place = workPlace()
    let postgres: RunningPostgres
    let bank: PlainParticipant
    let store: string

    beforeAll(async () => {
      bank = await plainParticipant()
      postgres = await startPostgres({ fsync: false })
      store = await postgres.createDatabase()
    })

    afterAll(async () => {
      await place.clear()
      await postgres.stop()
      await bank.close()
    })

    const post = (url: string, path: string, body: object) =>
      send(url, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const begin = (url: string, body: object) => post(url, '/v1/transactions', body)

    it('says that the schema is missing and how to make it; --init makes it', async () => {
      const finished = await runCommand(['serve', '--port', '0', '--store', store])
      expect(finished).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('LOCKSTEP_SCHEMA_MISMATCH'),
      })
      expect(finished.stderr).toContain('lockstep migrate up')
      const served = await place.serve(['--store', store, '--init'])
      expect((await send(served.url, '/readyz')).text).toBe('ready')
      served.child.kill('SIGTERM')
      expect(await served.finished).toMatchObject({ code: 0 })
    })

    it('one server answers for what another one drives, and takes over when that is killed', async () => {
      const reached = Promise.withResolvers<void>()
      bank.on('/credit', (_, count) => {
        if (count > 1) return json({ receipt: 'r2' })
        reached.resolve()
        return new Promise<PlainAnswer>(() => {})
      })
      const [first, second] = await Promise.all([place.serve(['--store', store]), place.serve(['--store', store])])
      const steps = [
        { name: 'debit', action: `${bank.url}/debit` },
        { name: 'credit', action: `${bank.url}/credit` },
      ]
      await begin(first.url, { id: 'shared', pattern: 'saga', steps })
      await reached.promise
      const waiting = send(second.url, '/v1/transactions/shared?wait=20000')
      first.child.kill('SIGKILL')
      const killedMs = Date.now()
      expect(await waiting).toMatchObject({ status: 200, body: { status: 'committed' } })
      expect(Date.now() - killedMs).toBeLessThan(7_000)
    })

    it('keeps NUL and every other character, and refuses hostile filters', async () => {
      const served = await place.serve(['--store', store])
      bank.on('/echo', (call) => json(call.body))
      const input = { nul: 'a\u0000b', emoji: '😀', quote: "'; DROP TABLE lockstep_transactions;--" }
      const labels = { note: "'; DROP TABLE x;--" }
      const steps = [{ name: 'echo', action: `${bank.url}/echo` }]
      const begun = await begin(served.url, { id: 'echo', pattern: 'saga', wait: 5000, input, labels, steps })
      expect(begun.body['output']).toEqual({ echo: input })
      const filter = encodeURIComponent(labels.note)
      expect((await send(served.url, `/v1/transactions?label.note=${filter}`)).body['items']).toMatchObject([
        { id: 'echo' },
      ])
      for (const query of ['cursor=nonsense', 'label.note=%00', 'cursor=99999999999999999999:x']) {
        expect((await send(served.url, `/v1/transactions?${query}`)).status).toBe(400)
      }
      const held = await begin(served.url, {
        id: 'held',
        pattern: 'saga',
        steps: [{ name: 'a', action: 'http://127.0.0.1:1/' }],
      })
      expect(held.status).toBe(202)
      expect(
        (await post(served.url, '/v1/transactions/held/actions', { action: 'hold', reason: 'Grüße' })).status,
      ).toBe(202)
    })
  })
}
