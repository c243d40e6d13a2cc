import { describe, expect, test } from 'vitest'
import { JuteReader } from './jute-reader.ts'
import { JuteWriter } from './jute-writer.ts'

const readerOf = (write: (out: JuteWriter) => void): JuteReader => {
  const out = new JuteWriter()
  write(out)
  return new JuteReader(out.finish())
}
const brokenFrame = expect.objectContaining({ code: 'BROKEN_FRAME' })

describe('a record', () => {
  test('is read as it was written, numbers of 64 bits included', () => {
    const longs = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 72057969522835456n]
    const input = readerOf((out) => {
      for (const long of longs) out.long(long)
      out.int(-2_147_483_648).bool(true).bool(false).text('Grüße, 世界').bytes(Uint8Array.of(0, 255))
      out.list(['a', '', 'c'], (item) => out.text(item))
    })
    expect(longs.map(() => input.long())).toEqual(longs)
    expect([input.int(), input.bool(), input.bool(), input.text()]).toEqual([
      -2_147_483_648,
      true,
      false,
      'Grüße, 世界',
    ])
    expect(input.bytes()).toEqual(Buffer.from([0, 255]))
    expect(input.list(() => input.text())).toEqual(['a', '', 'c'])
    input.end()
  })

  test('of any size is held whole', () => {
    const large = Buffer.alloc(1_000_000, 7)
    const input = readerOf((out) => out.text('before').bytes(large).text('after'))
    expect(input.text()).toBe('before')
    expect(input.bytes().equals(large)).toBe(true)
    expect(input.text()).toBe('after')
  })

  test('has null for an empty text, empty bytes and an empty list', () => {
    const input = readerOf((out) => out.int(-1).int(-1).int(-1))
    expect([input.text(), input.bytes().length, input.list(() => input.int()).length]).toEqual(['', 0, 0])
  })

  test.for<[string, (out: JuteWriter) => void, (input: JuteReader) => void]>([
    ['ends within a number', (out) => out.int(1), (input) => input.long()],
    ['names a text longer than itself', (out) => out.int(5).int(0), (input) => input.text()],
    ['names a length below -1', (out) => out.int(-2), (input) => input.bytes()],
    ['names a list that does not fit', (out) => out.int(2_000_000_000), (input) => input.list(() => input.text())],
    ['goes on behind its end', (out) => out.int(1).int(2), (input) => [input.int(), input.end()]],
  ])('that %s is refused', ([, write, read]) => {
    expect(() => read(readerOf(write))).toThrow(brokenFrame)
  })
})
