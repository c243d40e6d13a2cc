import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { SigningKey, signatureHeader, signatureProblem, webhookId } from './signature.ts'

it('signs as the Standard Webhooks libraries do', () => {
  const key = new SigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  const header = signatureHeader([key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}')
  expect(header).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

it('never shows a key', () => {
  const key = new SigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  const shown = `${key} ${JSON.stringify({ key })} ${inspect(key)} ${inspect({ key }, { showHidden: true })}`
  expect(shown).not.toMatch(/MfKQ|31f290/i)
})

it('reads no more than ten signatures of one header', () => {
  const key = new SigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  const id = webhookId('t', 'b', 'action')
  const request = { transaction: 't', branch: 'b', operation: 'action', id, timestamp: '1000', body: Buffer.from('{}') }
  const good = signatureHeader([key], id, '1000', '{}')
  expect(signatureProblem({ ...request, signature: `v1a,x ${good}` }, [key], 1_000_000)).toBeNull()
  expect(
    signatureProblem({ ...request, signature: `${'v1,AAAA '.repeat(10)}${good}` }, [key], 1_000_000),
  ).not.toBeNull()
})

it.each(['', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`, 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])(
  'refuses the secret %j',
  (secret) => {
    expect(() => new SigningKey(secret)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
  },
)
