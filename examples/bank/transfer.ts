/** One transfer of money from one bank to another, and the patterns that can make it. */
import { z } from 'zod'

export const patterns = ['saga', 'tcc', 'message'] as const
export type TransferPattern = (typeof patterns)[number]

export interface Transfer {
  readonly id: string
  readonly pattern: TransferPattern
  readonly fromBank: string
  readonly from: string
  readonly toBank: string
  readonly to: string
  readonly amount: number
}

/** What a bank is asked for: it is the one that the money leaves. A saga is begun by the client itself. */
export const Order = z.object({
  id: z.string(),
  pattern: z.enum(['tcc', 'message']),
  from: z.string(),
  toBank: z.string(),
  to: z.string(),
  amount: z.number().int().positive(),
})
export type Order = z.infer<typeof Order>
