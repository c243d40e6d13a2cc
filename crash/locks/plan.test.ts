import { expect, it } from 'vitest'
import { type LockStrike, linkFaults, linkFaultsOn, planLane } from './plan.ts'

const settings = { seed: 7, ttlMs: 2_000, serverFaults: ['kill', 'pause'], linkFaults } as const
const first = (lane: 'processes' | 'outside', count: number, over: object = {}): LockStrike[] =>
  Array.from({ length: count }, nextOf(planLane(lane, { ...settings, ...over })))

function nextOf(plan: Generator<LockStrike>): () => LockStrike {
  return () => plan.next().value as LockStrike
}

it('a plan of one seed is always the same, and of another seed another one', () => {
  expect(first('outside', 30)).toEqual(first('outside', 30))
  expect(first('outside', 30)).not.toEqual(first('outside', 30, { seed: 8 }))
})

it('a round has every kind of strike', () => {
  const kinds = (strikes: readonly LockStrike[]) =>
    new Set(
      strikes.map((strike) =>
        'fault' in strike ? `${strike.kind} ${strike.fault}` : `${strike.kind} ${strike.target}`,
      ),
    )
  expect(kinds(first('processes', 6))).toEqual(
    new Set(['stop holder', 'stop waiter', 'kill holder', 'kill waiter', 'block holder']),
  )
  const links = linkFaults.map((fault) => `link ${fault}`)
  expect(kinds(first('outside', 7))).toEqual(new Set([...links, 'server kill', 'server pause']))
})

it('a short run has a holder stopped beyond its lease, and a server killed', () => {
  const [stop] = first('processes', 1)
  expect(stop).toMatchObject({ kind: 'stop', target: 'holder' })
  expect(stop?.forMs).toBeGreaterThan(settings.ttlMs)
  expect(first('outside', 2)).toContainEqual(expect.objectContaining({ kind: 'server', fault: 'kill' }))
})

it('a session or lease is made to end at the servers: every way, of a holder, beyond the TTL', () => {
  const expiries = first('outside', 30).filter((strike) => strike.kind === 'link' && strike.fault === 'expiry')
  expect(expiries.length).toBeGreaterThan(3)
  for (const one of expiries) {
    expect(one).toMatchObject({ target: 'holder', share: 1 })
    expect(one.forMs).toBeGreaterThan(settings.ttlMs)
  }
})

it('where a lease ends with its connection at the server, no connection is left half-open', () => {
  expect(linkFaultsOn('postgres-advisory')).not.toContain('half-open')
  expect(linkFaultsOn('postgres')).toContain('half-open')
})
