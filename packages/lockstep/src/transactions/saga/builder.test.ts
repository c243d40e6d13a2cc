import { describe, expect, it } from 'vitest'
import { isLockstepError } from '../../errors.ts'
import { saga } from './builder.ts'

interface Transfer {
  readonly amount: number
}
interface Receipt {
  readonly receipt: string
  readonly amount: number
  readonly list: readonly string[]
  readonly 'a/b': { readonly '~': number }
}
const debit: { readonly name: string; readonly types?: { readonly input: Transfer; readonly output: Receipt } } = {
  name: 'bank.debit',
}
const credit: { readonly name: string; readonly types?: { readonly input: unknown; readonly output: null } } = {
  name: 'bank.credit',
}

describe('a saga is described as the body of a begin', () => {
  it('steps in order, by participant, with the options they were given', () => {
    const transfer = saga('transfer')
      .step('debit', debit, { timeout: '3s', retry: { limit: 5 } })
      .step('credit', credit)
    expect(transfer.body({ amount: 5 })).toEqual({
      pattern: 'saga',
      input: { amount: 5 },
      steps: [
        { name: 'debit', participant: 'bank.debit', timeout: '3s', retry: { limit: 5 } },
        { name: 'credit', participant: 'bank.credit' },
      ],
    })
  })
  it('an output of an earlier step becomes a reference, at any depth', () => {
    const transfer = saga('transfer')
      .step('debit', debit)
      .step('credit', credit, {
        input: (input: Transfer, { debit }) => ({
          ...input,
          whole: debit,
          parts: [debit.receipt, { first: debit.list[0], odd: debit['a/b']['~'] }],
        }),
      })
    expect(transfer.body({ amount: 5 })['steps']).toMatchObject([
      {},
      {
        input: {
          amount: 5,
          whole: { $output: 'debit', path: '' },
          parts: [
            { $output: 'debit', path: '/receipt' },
            { first: { $output: 'debit', path: '/list/0' }, odd: { $output: 'debit', path: '/a~1b/~0' } },
          ],
        },
      },
    ])
  })
  it('a builder can be used twice: a step added to one is not in the other', () => {
    const start = saga('transfer').step('debit', debit)
    start.step('credit', credit)
    expect(start.body({ amount: 1 })['steps']).toHaveLength(1)
  })
  it('a date stays a date, for the begin to refuse', () => {
    const when = new Date(0)
    const body = saga('x')
      .step('credit', credit, { input: () => ({ when }) })
      .body(null)
    expect(body['steps']).toMatchObject([{ input: { when } }])
  })
})

describe('an output is not known yet: what computes with it fails at once', () => {
  it.each<[string, (receipt: Receipt) => unknown]>([
    ['a template text', ({ receipt }) => `r-${receipt}`],
    ['arithmetic', ({ amount }) => amount + 1],
    ['a comparison', ({ amount }) => amount > 3],
    ['a method', ({ receipt }) => receipt.toUpperCase()],
    ['a loop', ({ list }) => [...list]],
    ['a map', ({ list }) => list.map((one) => one)],
    ['a copy of its properties', (receipt) => ({ ...receipt })],
    ['JSON', (receipt) => JSON.stringify(receipt)],
    ['a look for a property', (receipt) => 'amount' in receipt],
    ['a change', (receipt) => Object.assign(receipt, { amount: 3 })],
  ])('%s', (_, compute) => {
    const built = saga('x')
      .step('debit', debit)
      .step('credit', credit, { input: (_: Transfer, outputs) => compute(outputs.debit) })
    try {
      built.body({ amount: 1 })
      expect.unreachable('it was computed')
    } catch (error) {
      expect(isLockstepError(error, 'LOCKSTEP_INVALID_REQUEST') && error.message).toMatch(
        /^The output of debit.* is not known when the saga begins: pass it on as it is/,
      )
    }
  })
})
