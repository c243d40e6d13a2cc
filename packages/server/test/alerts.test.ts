/** What an operator hears of a transaction that needs one: the webhook, the log and the metric. */
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { runCommand, workPlace } from './child-process.ts'
import { commandHere } from './command-here.ts'
import { type InProcessServer, inProcessServer } from './in-process-server.ts'
import { json, plainParticipant } from './plain-participant.ts'

const ops = await plainParticipant()
const bank = await plainParticipant()
const place = workPlace()
const secret = `whsec_${Buffer.from('only the operator knows it').toString('base64')}`
let server: InProcessServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

afterAll(async () => {
  await Promise.all([ops.close(), bank.close(), place.clear()])
})

/** A TCC whose confirm is refused: it is held. */
async function held(url: InProcessServer, id: string): Promise<void> {
  bank.on('/no', () => json({ code: 'canary-sold-out' }, 409))
  await url.begin({ id, pattern: 'tcc' })
  const branch = { name: 'seat', confirm: `${bank.url}/no`, cancel: `${bank.url}/undo` }
  await url.post(`/v1/transactions/${id}/branches`, branch)
  await url.post(`/v1/transactions/${id}/commit?wait=10000`)
}

describe('a transaction that is held', () => {
  it('is told once to the webhook, the log and the metric', async () => {
    server = await inProcessServer(
      { alertWebhook: `${ops.url}/hook?team=1` },
      { LOCKSTEP_ALERT_WEBHOOK_SECRET: secret },
    )
    await held(server, 'trip-1')
    await expect.poll(() => ops.calls).toHaveLength(1)
    const { path, body, headers, text } = ops.calls[0] ?? expect.fail('no call')
    expect(path).toBe('/hook?team=1')
    expect(body).toMatchObject({
      kind: 'held',
      id: 'trip-1',
      pattern: 'tcc',
      status: 'committing',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      reason: 'phase-two-refused',
      detail: expect.stringContaining('seat'),
    })
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
    expect((await server.get('/metrics')).text).toContain('lockstep_alerts_total{kind="held",pattern="tcc"} 1\n')
    const lines = server.log.filter(({ level, fields }) => level === 'warn' && 'id' in fields)
    expect(lines).toMatchObject([{ fields: { id: 'trip-1', reason: 'phase-two-refused' } }])
    await server.stop()
    expect(ops.calls).toHaveLength(1)
  })

  it('is told to the receiver also when the server stops at once', async () => {
    server = await inProcessServer({ alertWebhook: `${ops.url}/last` })
    await held(server, 'trip-2')
    await server.stop()
    expect(ops.paths()).toContain('/last')
  })

  it('holds up nothing when the receiver is away, and the log says what it missed', async () => {
    ops.on('/down', () => ({ status: 503 }))
    server = await inProcessServer({ alertWebhook: `${ops.url}/down` })
    await held(server, 'trip-3')
    const { body } = await server.begin({ id: 'trip-4', pattern: 'tcc' })
    expect(body['status']).toBe('prepared')
    await server.stop()
    expect(server.log.find(({ level }) => level === 'error')).toMatchObject({
      fields: { id: 'trip-3', url: ops.url, error: 'HTTP 503', dropped: 1 },
    })
  })
})

describe('the settings', () => {
  it('come from the environment, and the secret from a file; neither is ever shown', async () => {
    const file = join(place.folder, 'secret')
    const known = `whsec_${Buffer.from('canary canary canary canary').toString('base64')}`
    writeFileSync(file, `${known}\n`)
    const served = await place.serve(['--store', 'memory:', '--log-level', 'debug'], {
      environment: { LOCKSTEP_ALERT_WEBHOOK: `${ops.url}/canary`, LOCKSTEP_ALERT_WEBHOOK_SECRET_FILE: file },
    })
    served.child.kill('SIGTERM')
    const { code, stdout, stderr } = await served.finished
    expect(code).toBe(0)
    expect(stdout + stderr).not.toMatch(/canary|whsec/)
  })

  const hook = { LOCKSTEP_ALERT_WEBHOOK: 'http://127.0.0.1:1/x' }
  const name = 'LOCKSTEP_ALERT_WEBHOOK_SECRET'
  const refusals: readonly (readonly [string, string[], Record<string, string>, string])[] = [
    ['a URL that is none', ['--alert-webhook', 'nowhere'], {}, '--alert-webhook must be an http or https URL'],
    ['another scheme', [], { LOCKSTEP_ALERT_WEBHOOK: 'ftp://x' }, 'LOCKSTEP_ALERT_WEBHOOK must be'],
    ['credentials in the URL', ['--alert-webhook', 'http://u:canary@x/'], {}, 'without credentials'],
    ['a secret that is none', [], { ...hook, [name]: 'canary' }, `${name} must be "whsec_"`],
    ['a secret that is short', [], { ...hook, [name]: 'whsec_c2hvcnQ=' }, `${name} must be "whsec_"`],
    ['a secret for nothing', [], { [name]: secret }, 'nothing to sign'],
    ['a secret from two places', [], { ...hook, [name]: secret, [`${name}_FILE`]: '/dev/null' }, 'Keep one of them'],
    ['a secret file that is not there', [], { ...hook, [`${name}_FILE`]: '/none/x' }, `${name}_FILE cannot be read`],
    ['an empty secret file', [], { ...hook, [`${name}_FILE`]: '/dev/null' }, `${name}_FILE must be "whsec_"`],
  ]

  it.for(refusals)('with %s are refused, and it is said how to mend them', async ([, args, environment, says]) => {
    const finished = await commandHere(['serve', '--port', '0', '--store', 'memory:', ...args], environment)
    expect(finished).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) })
    expect(finished.stderr).not.toMatch(/canary|\n\s+at /)
  })

  it('with a link-local address are refused when the server starts', async () => {
    const args = ['serve', '--port', '0', '--store', 'memory:', '--alert-webhook', 'http://169.254.169.254/x']
    const { code, stderr } = await runCommand(args)
    expect([code, stderr]).toEqual([1, expect.stringContaining('not link-local')])
  })
})
