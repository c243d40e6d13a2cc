/** Compiled, never run: each `@ts-expect-error` is a mistake that the types must catch. */
import { z } from 'zod'
import type { EmbeddedCoordinator } from '../../compose.ts'
import { participant } from '../../participant/index.ts'
import { saga } from './builder.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_T extends true>(): void => {}

declare const coordinator: EmbeddedCoordinator
const transferInput = z.object({ from: z.string(), to: z.string(), amount: z.number() })
const creditInput = z.object({ to: z.string(), receipt: z.string() })

const debit = participant('bank-a.debit', {
  input: transferInput,
  barrier: false,
  action: (input) => ({ receipt: input.from.concat('-r'), left: input.amount }),
})
const credit = participant('bank-b.credit', {
  input: creditInput,
  barrier: false,
  action: ({ to }) => ({ booked: to.length > 0 }),
})
const notify = participant('mail.notify', {
  input: z.object({ to: z.string() }),
  barrier: false,
  action: () => undefined,
})

type Transfer = z.input<typeof transferInput>

const transfer = saga('transfer')
  .step('debit', debit)
  .step('credit', credit, {
    input: (input: Transfer, outputs) => {
      holds<Same<typeof outputs.debit.receipt, string>>()
      holds<Same<typeof outputs.debit.left, number>>()
      // @ts-expect-error the output of debit has no such property
      outputs.debit.recipt
      // @ts-expect-error credit has not run yet
      outputs.credit
      return { to: input.to, receipt: outputs.debit.receipt }
    },
  })
  .step('notify', notify)

// @ts-expect-error the input of credit needs a receipt
saga('x').step('credit', credit, { input: (input: Transfer) => ({ to: input.to }) })
saga('x')
  .step('debit', debit)
  // @ts-expect-error a number is no receipt
  .step('credit', credit, { input: (input: Transfer, outputs) => ({ to: input.to, receipt: outputs.debit.left }) })
// @ts-expect-error a duration has a unit
saga('x').step('debit', debit, { timeout: '3' })
// @ts-expect-error an unknown option
saga('x').step('debit', debit, { retries: 3 })

async function run(): Promise<void> {
  const outcome = await coordinator.run(transfer, { from: 'a', to: 'b', amount: 5 }, { id: 'order-42' })
  if (outcome.status === 'committed') {
    holds<Same<typeof outcome.output.debit, { receipt: string; left: number }>>()
    holds<Same<typeof outcome.output.credit.booked, boolean>>()
    // @ts-expect-error no step of that name
    outcome.output.refund
  } else if (outcome.status === 'rolled-back') {
    outcome.reason?.branch
    // @ts-expect-error what rolled back has no output
    outcome.output
  } else if (outcome.status === 'held') {
    holds<Same<typeof outcome.reason, string>>()
  } else {
    holds<Same<typeof outcome, { readonly status: 'unfinished' }>>()
  }
  // @ts-expect-error the amount is a number
  await coordinator.run(transfer, { from: 'a', to: 'b', amount: '5' }, { id: 'order-42' })
  // @ts-expect-error the receiver is missing
  await coordinator.run(transfer, { from: 'a', amount: 5 }, { id: 'order-42' })
  // @ts-expect-error every begin carries an id
  await coordinator.run(transfer, { from: 'a', to: 'b', amount: 5 }, {})
}
void run
