import { expect, test } from 'vitest'
import { FrameDecoder, frameBytesMax, framed } from './frames.ts'

function framesIn(decoder: FrameDecoder, chunk: Buffer): string[] {
  decoder.add(chunk)
  const found: string[] = []
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) found.push(frame.toString())
  return found
}
const lengthOnly = (length: number): Buffer => {
  const header = Buffer.alloc(4)
  header.writeInt32BE(length)
  return header
}
const three = Buffer.concat(['first', '', 'third'].map((text) => framed(Buffer.from(text))))

test('frames come out whole, whatever the chunks are', () => {
  for (let size = 1; size <= three.length; size += 1) {
    const decoder = new FrameDecoder()
    const found: string[] = []
    for (let at = 0; at < three.length; at += size) found.push(...framesIn(decoder, three.subarray(at, at + size)))
    expect(found).toEqual(['first', '', 'third'])
  }
})

test('a large frame that drips in is not copied again for each drop', () => {
  const large = framed(Buffer.alloc(frameBytesMax, 1))
  const decoder = new FrameDecoder()
  const startedMs = performance.now()
  for (let at = 0; at < large.length - 1; at += 64) {
    decoder.add(large.subarray(at, Math.min(at + 64, large.length - 1)))
    expect(decoder.next() === undefined).toBe(true)
  }
  decoder.add(large.subarray(large.length - 1))
  expect(decoder.next()?.length).toBe(frameBytesMax)
  // Copying for each of 65,536 drops would move 128 GiB.
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

test('a length that no frame has is refused before anything is kept for it', () => {
  for (const length of [-1, frameBytesMax + 1, 0x47455420]) {
    const decoder = new FrameDecoder()
    decoder.add(lengthOnly(length))
    expect(() => decoder.next()).toThrow(expect.objectContaining({ code: 'BROKEN_FRAME' }))
  }
})
