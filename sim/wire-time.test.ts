import { expect, it } from 'vitest'
import { timeOf } from './wire-time.ts'

it.each([
  '1970-01-01T00:00:00.000Z',
  '2000-02-29T23:59:59.999Z',
  '2023-11-14T22:13:20.001Z',
  '2024-02-29T00:00:00.000Z',
  '2024-03-01T00:00:00.000Z',
  '2099-12-31T23:59:59.999Z',
])('reads %s as Date does', (iso) => {
  expect(timeOf(iso)).toBe(Date.parse(iso))
})
