import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { type Json, LockstepError } from 'lockstep'
import { bodyBytesMax, parseJson } from 'lockstep/protocol'
import { invalid } from './problem-answer.ts'

const jsonType = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i

/** The JSON of a request that must have some. */
export async function readJson(incoming: IncomingMessage): Promise<Json> {
  const body = await readOptionalJson(incoming)
  if (body === undefined) throw invalid('', 'The body is empty; it must be JSON.')
  return body
}

/** Undefined when there is no body. */
export async function readOptionalJson(incoming: IncomingMessage): Promise<Json | undefined> {
  refuseEncoded(incoming)
  const bytes = await readBytes(incoming)
  if (bytes.length === 0) return undefined
  refuseOtherTypes(incoming)
  // Decoding would replace broken bytes in silence, and two different payloads would become one.
  if (!isUtf8(bytes)) throw invalid('', 'The body is not valid UTF-8.')
  return parseJson(bytes.toString('utf8'))
}

/** What arrives is counted, whatever the sender declares; the rest of a body that is too large is never kept. */
function readBytes(incoming: IncomingMessage): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > bodyBytesMax) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const take = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes <= bodyBytesMax) chunks.push(chunk)
      else {
        incoming.off('data', take)
        reject(tooLarge())
      }
    }
    incoming.on('data', take)
    const breakOff = (): void => reject(broken())
    incoming.once('end', () => {
      incoming.off('close', breakOff)
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
    })
    incoming.once('error', breakOff)
    incoming.once('close', breakOff)
  })
}

function refuseEncoded({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return
  // Nothing is unpacked, so nothing can expand.
  throw unsupported('A compressed or otherwise encoded body is not read.')
}

function refuseOtherTypes({ headers }: IncomingMessage): void {
  const type = headers['content-type']
  if (type !== undefined && jsonType.test(type)) return
  throw unsupported(
    type === undefined ? 'The body has no content-type.' : 'The content-type is not application/json in UTF-8.',
  )
}

function unsupported(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_UNSUPPORTED_MEDIA_TYPE', { message })
}

function tooLarge(): LockstepError {
  return new LockstepError('LOCKSTEP_PAYLOAD_TOO_LARGE', { message: `The body is over ${bodyBytesMax} bytes.` })
}

function broken(): LockstepError {
  return invalid('', 'The request ended before its body was complete.')
}
