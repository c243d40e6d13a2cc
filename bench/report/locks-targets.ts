import type { ContestFigures, CyclesFigures, HeldFigures } from '../locks/figures.ts'
import type { Figures, Target } from './record.ts'

export const cyclesRatioMin = 0.9
export const handOffP50MaxMs = 0.3
export const requestsPerGrantMax = 3
export const mastersPerSecondMin = 150
/** Leases that are held for each renewing script of a second. */
export const leasesPerScriptMin = 200
/** How many times as fast the name goes from hand to hand as with etcd3 in the same run; the rate itself is bound by the time of the hold. */
export const etcdRatioMin = 3

export function judgeLocks({ locks }: Figures): Target[] {
  if (locks === undefined) return []
  const ours = locks.contests.filter(({ contestant }) => contestant.startsWith('Lockstep'))
  const onRedis = ours.filter(({ service }) => service === 'redis')
  return [
    ...locks.cycles.flatMap(judgeRatio),
    ...onRedis.flatMap(judgeHandOff),
    ...ours.filter(({ service }) => service === 'masters').map(judgeMasters),
    ...ours.filter(({ service }) => service === 'etcd').flatMap((one) => judgeEtcd(one, locks.contests)),
    ...(locks.held === null ? [] : [judgeHeld(locks.held)]),
    ...(ours.length === 0 ? [] : [judgeFence(ours)]),
  ]
}

function judgeRatio({ contestant, inFlight, against }: CyclesFigures): Target[] {
  if (against === null) return []
  return [
    {
      target: `cycles at least ${cyclesRatioMin} of ${against.contestant}, ${contestant}, ${inFlight} in flight`,
      met: against.ratio.median >= cyclesRatioMin,
      value: String(against.ratio.median),
      kind: 'ratio',
    },
  ]
}

/** The bound of the hand-off is that of a burst: with four processes on few cores the scheduler has its part in it. */
function judgeHandOff(one: ContestFigures): Target[] {
  const { contestant, kind, waiters, handOffP50Ms, requestsPerGrant, neverServed } = one
  const where = `${contestant}, ${kind} of ${waiters}`
  const requests: Target = {
    target: `at most ${requestsPerGrantMax} scripts per acquisition, ${where}`,
    met: (requestsPerGrant?.median ?? 0) <= requestsPerGrantMax,
    value: String(requestsPerGrant?.median),
    kind: 'rate',
  }
  const fast: Target = {
    target: `half of the hand-offs within ${handOffP50MaxMs} ms, ${where}`,
    met: handOffP50Ms.median <= handOffP50MaxMs,
    value: `${handOffP50Ms.median} ms`,
    kind: 'rate',
  }
  const served: Target = {
    target: `nobody unserved, ${where}`,
    met: neverServed.max === 0,
    value: String(neverServed.max),
    kind: 'rate',
  }
  return kind === 'burst' ? [requests, fast, served] : [requests, served]
}

/** Each is renewed three times in ten seconds; one script for each would be sixty times as many. */
function judgeHeld({ leases, restScriptsPerSecond }: HeldFigures): Target {
  const most = leases / leasesPerScriptMin
  return {
    target: `renewals leave together: at most ${most} scripts a second for ${leases} leases`,
    met: restScriptsPerSecond.median <= most,
    value: String(restScriptsPerSecond.median),
    kind: 'rate',
  }
}

function judgeMasters({ contestant, waiters, perSecond }: ContestFigures): Target {
  return {
    target: `at least ${mastersPerSecondMin} acquisitions a second on five masters, ${contestant}, ${waiters} waiters`,
    met: perSecond.median >= mastersPerSecondMin,
    value: `${perSecond.median}/s`,
    kind: 'rate',
  }
}

function judgeEtcd(one: ContestFigures, all: readonly ContestFigures[]): Target[] {
  const { kind, waiters, handOffP50Ms } = one
  const peer = all.find((other) => other.contestant.startsWith('etcd3') && other.kind === kind)
  if (peer === undefined) return []
  const ratio = peer.handOffP50Ms.median / handOffP50Ms.median
  return [
    {
      target: `hand-offs at least ${etcdRatioMin} times as fast as with etcd3, ${kind} of ${waiters}`,
      met: ratio >= etcdRatioMin,
      value: ratio.toFixed(2),
      kind: 'ratio',
    },
  ]
}

/** A count: no load of the machine excuses it. */
function judgeFence(ours: readonly ContestFigures[]): Target {
  const violations = ours.reduce((sum, { register }) => sum + register.violations, 0)
  return {
    target: `no older holder gets past the fence, ${ours.length} contests`,
    met: violations === 0,
    value: String(violations),
    kind: 'count',
  }
}
