/** What whoever initiates a TCC is told when it does not come to a commit. */
import { describe, expect, it } from 'vitest'
import { VirtualTime } from '../../../test/coordinator/virtual-time.ts'
import { isLockstepError, LockstepError } from '../../errors.ts'
import type { Decision, Outcome } from '../../ports/index.ts'
import type { Coordination, TransactionBody } from '../../protocol/index.ts'
import type { Initiating } from '../initiating.ts'
import { initiate } from './initiate.ts'
import type { TccScope } from './trials.ts'

const seat = { name: 'seats.hold' }
const refused: Outcome = { kind: 'refused', reason: { code: 'sold-out' } }
const unreachable = () => new LockstepError('LOCKSTEP_UNREACHABLE', { message: 'no answer' })

interface Told {
  readonly decisions: Decision[]
  readonly by: Initiating<unknown>
}

/** Every try ends as `outcome`; every decision is answered by `decide`. */
function initiating(outcome: Outcome, decide: (decision: Decision) => Promise<TransactionBody>): Told {
  const { environment } = new VirtualTime().process()
  const decisions: Decision[] = []
  const coordination: Partial<Coordination> = {
    begin: async () => ({ transaction: bodyAs('prepared'), replayed: false }),
    register: async () => ({ transaction: bodyAs('prepared'), replayed: false }),
    decide: (_, decision) => {
      decisions.push(decision)
      return decide(decision)
    },
  }
  const by = {
    coordination,
    transport: { canCall: () => true, call: async () => outcome },
    environment,
    timeOf: Number,
  }
  return { decisions, by: by as unknown as Initiating<unknown> }
}

function bodyAs(status: TransactionBody['status']): TransactionBody {
  const times = { createdAt: '0', deadlineAt: '60000' }
  return { id: 'trip-7', store: '51000001', status, reason: null, held: null, ...times } as TransactionBody
}

const told = async () => bodyAs('rolling-back')
const notTold = () => Promise.reject(unreachable())
const catching = async (t: TccScope) => {
  await t.try(seat, {}).catch(() => {})
}

async function errorOf({ by }: Told, body: (t: TccScope) => Promise<unknown>): Promise<unknown> {
  return initiate({ id: 'trip-7' }, body, by).then(
    () => null,
    (error: unknown) => error,
  )
}

describe('a try that failed and was caught', () => {
  it('rolls back, and says why', async () => {
    const run = initiating(refused, told)
    const error = await errorOf(run, catching)
    expect(isLockstepError(error, 'LOCKSTEP_ROLLED_BACK') && isLockstepError(error.cause, 'LOCKSTEP_REFUSED')).toBe(
      true,
    )
    expect(run.decisions).toEqual(['rollback'])
  })

  it('says what the try threw, also when nobody could be told of the rollback', async () => {
    const error = await errorOf(initiating(refused, notTold), catching)
    expect(isLockstepError(error, 'LOCKSTEP_REFUSED')).toBe(true)
  })
})

describe('what the function throws reaches its caller as it is', () => {
  const own = new Error('no seat beside the window')
  const body = async (t: TccScope) => {
    await catching(t)
    throw own
  }

  it.each([
    ['when the rollback is answered', told],
    ['when it is not', notTold],
  ])('%s, also after a try that failed', async (_name, decide) => {
    expect(await errorOf(initiating(refused, decide), body)).toBe(own)
  })
})
