import { mutant } from '#mutant'
import type { RedisScript } from '../../ports/index.ts'
import { largestToken } from './largest-token.ts'
import { carelessWriteBackScript, writeBackScript } from './scripts.ts'

export interface MajorityToken {
  readonly token: bigint
  /** A majority that has reported exactly this token has stored it already: it need not be written back. */
  readonly isStored: boolean
}

/** What the counters of those that granted, a majority, make of the token. */
export function tokenOfMajority(counters: readonly bigint[], quorum: number): MajorityToken {
  const token = largestToken(counters)
  const agreeing = counters.filter((counter) => counter === token).length
  return { token, isStored: agreeing >= quorum || mutant('W2-no-write-back') }
}

export function writeBack(): RedisScript {
  return mutant('W3-write-back-without-counter-test') ? carelessWriteBackScript : writeBackScript
}
