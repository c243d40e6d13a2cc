import { serverError, ZooKeeperError } from '../errors.ts'
import { type CreateOptions, create, readCreated } from './create.ts'
import type { JuteReader } from './jute-reader.ts'
import type { JuteWriter } from './jute-writer.ts'
import { checkPath, type Operation } from './operation.ts'
import { anyVersion, remove, setData } from './operations.ts'
import { readStat, type Stat } from './stat.ts'

/** One part of a `multi`. `check` only demands that the node exists and has the version. */
export type MultiOperation =
  | ({ readonly kind: 'create'; readonly path: string } & CreateOptions)
  | { readonly kind: 'delete'; readonly path: string; readonly version?: number }
  | { readonly kind: 'setData'; readonly path: string; readonly data: Uint8Array | string; readonly version?: number }
  | { readonly kind: 'check'; readonly path: string; readonly version?: number }

export type MultiResult =
  /** Null from servers that forget it in a multi, such as 3.8.0 (ZOOKEEPER-4026). */
  | { readonly kind: 'create'; readonly path: string; readonly stat: Stat | null }
  | { readonly kind: 'delete' }
  | { readonly kind: 'setData'; readonly stat: Stat }
  | { readonly kind: 'check' }

interface Part {
  readonly request: Pick<Operation<unknown>, 'type' | 'subject' | 'write'>
  /** `type` is what the server calls its answer. */
  read(input: JuteReader, type: number): MultiResult
}

const multiType = 14
const errorType = -1
/** The answer of the old `create`. */
const pathOnlyType = 1
/** What the parts after the one that was refused are answered with: they were not tried. */
const notTried = -2

/** All of them happen, in one transaction with one zxid, or none does: then the answer is the error of the part that was refused. */
export function multi(operations: readonly MultiOperation[]): Operation<readonly MultiResult[] | ZooKeeperError> {
  const parts = operations.map(partOf)
  return {
    type: multiType,
    subject: `multi of ${parts.length}`,
    asksLeader: true,
    write(out) {
      for (const { request } of parts) {
        writeHeader(out, request.type, false)
        request.write(out)
      }
      writeHeader(out, errorType, true)
    },
    read: (input) => readAnswer(input, parts),
  }
}

function partOf(operation: MultiOperation): Part {
  const { kind, path } = operation
  switch (kind) {
    case 'create':
      return { request: create(path, operation), read: (input, type) => ({ kind, ...readCreatedInMulti(input, type) }) }
    case 'delete':
      return { request: remove(path, operation.version ?? anyVersion), read: () => ({ kind }) }
    case 'setData':
      return {
        request: setData(path, operation.data, operation.version ?? anyVersion),
        read: (input) => ({ kind, stat: readStat(input) }),
      }
    case 'check':
      return { request: check(path, operation.version ?? anyVersion), read: () => ({ kind }) }
    default:
      throw new ZooKeeperError('BAD_ARGUMENTS', { why: `a multi has no operation "${String(kind satisfies never)}"` })
  }
}

function readCreatedInMulti(input: JuteReader, type: number): { path: string; stat: Stat | null } {
  return type === pathOnlyType ? { path: input.text(), stat: null } : readCreated(input)
}

function check(path: string, version: number): Part['request'] {
  checkPath(path)
  return { type: 13, subject: `check ${path}`, write: (out) => void out.text(path).int(version) }
}

function writeHeader(out: JuteWriter, type: number, done: boolean): void {
  out.int(type).bool(done).int(-1)
}

function readAnswer(input: JuteReader, parts: readonly Part[]): readonly MultiResult[] | ZooKeeperError {
  const results: MultiResult[] = []
  const refusals: number[] = []
  for (const part of parts) {
    const { type, done } = readHeader(input)
    if (done) throw new ZooKeeperError('BROKEN_FRAME', { why: 'the answer to a multi ends too early' })
    if (type === errorType) refusals.push(input.int())
    else results.push(part.read(input, type))
  }
  if (!readHeader(input).done) throw new ZooKeeperError('BROKEN_FRAME', { why: 'the answer to a multi does not end' })
  return refusals.length === 0 ? results : refusal(parts, refusals)
}

/** The parts before the refused one are answered with 0: they were taken back. */
function refusal(parts: readonly Part[], numbers: readonly number[]): ZooKeeperError {
  const index = numbers.findIndex((number) => number !== 0 && number !== notTried)
  const subject = `${parts[index]?.request.subject} in a multi`
  return serverError(numbers[index] ?? notTried, index < 0 ? {} : { index, subject })
}

function readHeader(input: JuteReader): { type: number; done: boolean } {
  const type = input.int()
  const done = input.bool()
  input.int()
  return { type, done }
}
