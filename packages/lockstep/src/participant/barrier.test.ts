import { expect, it } from 'vitest'
import type { BarrierRows, Operation } from '../ports/index.ts'
import { passBarrier } from './barrier.ts'

it.each<[Operation, Operation[]]>([
  ['action', ['action']],
  ['compensate', ['action', 'compensate']],
  ['try', ['try']],
  ['confirm', ['cancel', 'confirm']],
  ['cancel', ['cancel', 'confirm', 'try']],
  ['rollback', ['action', 'rollback']],
  ['check', ['action', 'check']],
])(
  '%s takes its keys in alphabetical order, so that no two operations wait for each other',
  async (operation, keys) => {
    const inserted: Operation[] = []
    const rows: BarrierRows = {
      async insert(key) {
        inserted.push(key.operation)
        return true
      },
      find: async () => ({ by: 'try', inputHash: 'h', output: 'null' }),
      complete: async () => {},
    }
    const call = { store: '1f2e3d4c', transaction: 't', branch: 'b', operation, inputHash: 'h' }
    await passBarrier(call, rows, async () => null)
    expect(inserted).toEqual(keys)
  },
)

it('asks again when retention takes the row away between the insert and the read', async () => {
  const rows: BarrierRows = { insert: async () => false, find: async () => null, complete: async () => {} }
  const call = { store: '1f2e3d4c', transaction: 't', branch: 'b', operation: 'action', inputHash: 'h' } as const
  const passing = passBarrier(call, rows, () => Promise.reject(new Error('the business must not run')))
  await expect(passing).rejects.toMatchObject({ message: expect.stringContaining('pending') })
})

it('runs a reversal of something that left no row where the work outside the database asks for it', async () => {
  const rows: BarrierRows = { insert: async () => true, find: async () => null, complete: async () => {} }
  const call = { store: '1f2e3d4c', transaction: 't', branch: 'b', operation: 'cancel', inputHash: 'h' } as const
  const business = async (forwardOutput: unknown): Promise<string> => `ran ${forwardOutput}`
  expect(await passBarrier({ ...call, runEmpty: true }, rows, business)).toBe('ran undefined')
  expect(await passBarrier(call, rows, business)).toBeNull()
})
