/**
 * A saga of two steps. Either action may be refused by its business, once and not the next time; the initiator rolls back at any time, through
 * either instance; the deadline passes at any time.
 *
 * `barrier`: the second action may leave before the first one's result is durable. `output`: it gets the first one's output, and waits for
 * it to be durable. `concurrent`: it waits for nothing. `url`: it has no barrier, but keeps the four promises of docs/guarantees.md. `plain`:
 * it does not even do that. What protects it then is that its reversal keeps quiet until a lost action can no longer arrive; so a request
 * to it is executed once, or lost, and not after its caller has given up, and an owner whose lease is over sends none.
 */
import type { Json } from 'lockstep/ports'
import { sagaPattern } from 'lockstep/testing'
import { Copies, type CopyOptions } from '../model/copy.ts'
import { Machine, turningPointMs } from '../model/machine.ts'
import { type Parts, Rows, type State, Worlds } from '../model/world.ts'
import {
  participantWithBarrier,
  participantWithoutMemory,
  participantWithPromises,
  type Standing,
} from './participant.ts'
import { Participants } from './participants.ts'

export type SecondStep = 'barrier' | 'output' | 'concurrent' | 'url' | 'plain'

export interface SagaOptions {
  readonly second: SecondStep
  readonly writes: CopyOptions['writes']
  readonly lateAnswers: boolean
}

const names = ['debit', 'credit'] as const
const operations = ['action', 'compensate'] as const

const seconds: Readonly<Record<SecondStep, Readonly<Record<string, Json>>>> = {
  barrier: { participant: 'bank.credit' },
  output: { participant: 'bank.credit', input: { $output: 'debit', path: '' } },
  concurrent: { participant: 'bank.credit', after: [] },
  url: { action: 'plain.credit', compensate: 'plain.uncredit' },
  plain: { action: 'plain.credit', compensate: 'plain.uncredit' },
}

export async function saga({ second, writes, lateAnswers }: SagaOptions): Promise<Parts<null>> {
  const machine = new Machine(sagaPattern)
  const copies = new Copies({ machine, writes })
  const rows = new Rows()
  const worlds = new Worlds<null>()
  const guarded = await participantWithBarrier({ operations, mayRefuse: ['action'] })
  const credits = {
    barrier: { participant: guarded },
    output: { participant: guarded },
    concurrent: { participant: guarded },
    url: { participant: participantWithPromises },
    plain: { participant: participantWithoutMemory, isPlain: true },
  } as const
  const participants = new Participants<null>(
    [
      { name: 'debit', operations, participant: guarded },
      { name: 'credit', operations, ...credits[second] },
    ],
    worlds,
  )
  const isPlain = (branch: string): boolean => second === 'plain' && branch === 'credit'
  const scenario = {
    worlds,
    start(): State<null> {
      const steps = [
        { name: 'debit', participant: 'bank.debit' },
        { name: 'credit', ...seconds[second] },
      ]
      const shape = machine.begin({ deadline: turningPointMs, steps })
      const current = copies.adopt(shape, { kind: 'woke' }, 'early')
      return {
        row: rows.of(shape, true),
        current,
        stale: null,
        world: worlds.of({ ...participants.untouched, rest: null }),
      }
    },
    bitOf: participants.bitOf.bind(participants),
    send: participants.send.bind(participants),
    executions: participants.executions.bind(participants),
    wishes: () => [{ event: { kind: 'decide', decision: 'rollback' }, name: "the initiator's rollback" }],
    steps: (_, world) => participants.strays(world),
    violation: (state) => participants.fault(state.world) ?? violationOf(state, participants, second),
    isEnd: ({ row }) => row.shape.transaction.endedAt !== null,
    mayTimeOut: (world, { branch, operation }) => !isPlain(branch) || !participants.isSent(world, branch, operation),
    mayLeaveLate: ({ branch }) => !isPlain(branch),
    mayCalm: (world, position) => !isPlain(names[position] ?? '') || !participants.isSent(world, 'credit', 'action'),
  } satisfies Parts<null>['scenario']
  return { copies, rows, scenario, lateAnswers }
}

function violationOf({ row, world }: State<null>, participants: Participants<null>, second: SecondStep): string | null {
  const { status, held } = row.shape.transaction
  if (held !== null) return `held without need: ${held.reason}`
  const isTurned = status === 'rolling-back' || status === 'rolled-back'
  if (!isTurned && participants.isAnySent(world, 'compensate'))
    return `a compensation was sent while the row was ${status} (law 1)`
  const [debit, credit] = names.map((name) => participants.standingOf(world, name))
  if (debit === undefined || credit === undefined) return null
  for (const [name, standing] of [
    ['debit', debit],
    ['credit', credit],
  ] as const) {
    if (status === 'committed' && !stands(standing)) return `committed, and ${name} does not stand`
    if (status === 'rolled-back' && stands(standing)) return `rolled back, and ${name} stands`
  }
  return second === 'concurrent' ? null : disorder({ debit, credit })
}

function disorder({ debit, credit }: { readonly debit: Standing; readonly credit: Standing }): string | null {
  if (credit.ran.action !== undefined && debit.ran.action === undefined) return 'credit ran before debit'
  return debit.reversed && stands(credit) ? 'debit was reversed before credit (law 4)' : null
}

function stands({ ran }: Standing): boolean {
  return (ran.action ?? 0) > (ran.compensate ?? 0)
}
