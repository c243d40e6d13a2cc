import { LockstepError } from '../errors.ts'

/** Where a page ended: lists are sorted by (createdAt, id), newest first. */
export interface PagePosition {
  readonly createdAt: number
  readonly id: string
}

export function cursorAfter(position: PagePosition): string {
  return `${position.createdAt}:${position.id}`
}

export function positionOf(cursor: string): PagePosition {
  const match = /^(-?\d{1,16}):(.+)$/s.exec(cursor)
  const createdAt = Number(match?.[1])
  const id = match?.[2]
  if (id === undefined || !Number.isSafeInteger(createdAt)) {
    throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message: 'The cursor is not one that a list has answered.' })
  }
  return { createdAt, id }
}
