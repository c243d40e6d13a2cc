import { describe, expect, test } from 'vitest'
import { fakeEtcd } from '../../test/fake-etcd.ts'
import { manualTime } from '../../test/manual-time.ts'
import { type Etcd, EtcdError } from '../index.ts'
import { type EtcdSession, openSession } from './session.ts'

const unanswered = () => new EtcdError('unknown', { subject: 'keepalive', why: 'no answer' })
const drift = (ttlMs: number): number => ttlMs * 0.01 + 2

async function open(parts: Partial<Etcd>) {
  const time = manualTime()
  const leaseGrant: Etcd['leaseGrant'] = async ({ id = 0n, ttlSeconds }) => ({ id, ttlSeconds })
  const etcd = fakeEtcd({ leaseGrant, ...parts })
  const session = await openSession({ etcd, environment: time.environment, ttlMs: 9_000 })
  const told: string[] = []
  session.listen((state) => told.push(`${state} at ${time.now() - 1_000}`))
  return { time, session, told }
}

describe('a session', () => {
  test('is valid from the sending of what was answered, not from the answer', async () => {
    const answers: (() => void)[] = []
    const leaseKeepAlive = () => new Promise<number>((resolve) => answers.push(() => resolve(9)))
    const { time, session } = await open({ leaseKeepAlive })
    expect(session.validUntilMs).toBe(1_000 + 9_000 - drift(9_000))
    await time.advance(3_000)
    await time.advance(1_000)
    answers[0]?.()
    await time.advance(0)
    expect(session.validUntilMs).toBe(4_000 + 9_000 - drift(9_000))
  })

  test('is at risk with the first keep-alive without an answer, held again with the next, and lost by the clock alone', async () => {
    let answers = false
    const leaseKeepAlive = async (): Promise<number> => {
      if (answers) return 9
      throw unanswered()
    }
    const { time, session, told } = await open({ leaseKeepAlive })
    await time.advance(3_100)
    expect(told).toEqual(['at-risk at 3000'])
    answers = true
    await time.advance(1_000)
    expect(told).toEqual(['at-risk at 3000', 'held at 3750'])
    answers = false
    await time.advance(20_000)
    expect(told.slice(2)).toEqual(['at-risk at 6750', `lost at ${3_750 + 9_000 - drift(9_000)}`])
    expect(session.isAlive).toBe(false)
    expect(time.timers()).toBe(0)
  })

  test('ends at once when the server says that its lease is gone', async () => {
    const { time, told } = await open({ leaseKeepAlive: async () => 0 })
    await time.advance(3_000)
    expect(told).toEqual(['lost at 3000'])
    expect(time.timers()).toBe(0)
  })

  test('is not revived by an answer that comes behind its end', async () => {
    const answers: (() => void)[] = []
    const leaseKeepAlive = () => new Promise<number>((resolve) => answers.push(() => resolve(9)))
    const { time, session, told } = await open({ leaseKeepAlive })
    await time.advance(3_000)
    time.stall(6_500)
    answers[0]?.()
    await time.advance(0)
    expect(session.isAlive).toBe(false)
    expect(told).toEqual(['lost at 9500'])
    expect(await session.prove()).toBe(false)
  })

  test('that is ended by whom it tells of its return proves nothing any more, and leaves no timer', async () => {
    let answers = false
    const leaseKeepAlive = async (): Promise<number> => {
      if (answers) return 9
      throw unanswered()
    }
    const { time, session } = await open({ leaseKeepAlive })
    session.listen((state) => state === 'held' && void session.end())
    await time.advance(3_100)
    answers = true
    expect(await session.prove()).toBe(false)
    await time.advance(1_000)
    expect(time.timers()).toBe(0)
  })

  test('was lost in a stall: the clock says so before any timer has fired', async () => {
    const { time, session } = await open({ leaseKeepAlive: async () => 9 })
    time.stall(9_000)
    expect(session.isAlive).toBe(false)
  })

  test('of a thousand holds is proven by one request', async () => {
    let asked = 0
    const leaseKeepAlive = async () => {
      asked += 1
      return 9
    }
    const { time, session } = await open({ leaseKeepAlive })
    time.stall(2_000)
    const proofs = await Promise.all(Array.from({ length: 1_000 }, () => session.prove()))
    expect(proofs.every((alive) => alive)).toBe(true)
    expect(asked).toBe(1)
  })

  test('whose grant was answered with "exists already" is our own, and proven before it is used', async () => {
    const time = manualTime()
    const calls: string[] = []
    const etcd = fakeEtcd({
      async leaseGrant() {
        calls.push('grant')
        throw new EtcdError('refused', { subject: 'grant', why: 'etcdserver: lease already exists', status: 9 })
      },
      async leaseKeepAlive() {
        calls.push('keepalive')
        return 9
      },
    })
    const session: EtcdSession = await openSession({ etcd, environment: time.environment, ttlMs: 9_000 })
    expect(calls).toEqual(['grant', 'keepalive'])
    expect(session.isAlive).toBe(true)
  })

  test('that may have been granted without our hearing of it is revoked', async () => {
    const revoked: bigint[] = []
    const etcd = fakeEtcd({
      async leaseGrant() {
        throw unanswered()
      },
      async leaseRevoke(id) {
        revoked.push(id)
      },
    })
    await expect(openSession({ etcd, environment: manualTime().environment, ttlMs: 9_000 })).rejects.toThrow(
      'no answer',
    )
    expect(revoked).toHaveLength(1)
  })

  test('is revoked at its end, also when the first request for it breaks', async () => {
    let tries = 0
    const { session } = await open({
      async leaseRevoke() {
        tries += 1
        if (tries === 1) throw unanswered()
      },
    })
    await session.end()
    expect(tries).toBe(2)
  })
})
