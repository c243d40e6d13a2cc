import { ZooKeeperError } from '../errors.ts'
import { type AclEntry, openAcl, writeAcl } from './acl.ts'
import type { JuteReader } from './jute-reader.ts'
import { checkPath, dataBytes, type Operation } from './operation.ts'
import { readStat, type Stat } from './stat.ts'

const createType = 15
const createContainerType = 19

/** The number of each mode on the wire. */
const modes = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
} as const

/**
 * `ephemeral` ends with the session; `sequential` appends ten digits that grow; a `container` is removed by the server some time after
 * its last child.
 */
export type CreateMode = keyof typeof modes

export interface CreateOptions {
  readonly data?: Uint8Array | string
  readonly mode?: CreateMode
  readonly acl?: readonly AclEntry[]
}

export interface Created {
  /** With its number, for a sequential node. */
  readonly path: string
  readonly stat: Stat
}

/** Of the kind that answers with the Stat, so that the token of a lock costs no second round trip. */
export function create(path: string, options: CreateOptions = {}): Operation<Created> {
  const { mode = 'persistent', acl = openAcl } = options
  if (!Object.hasOwn(modes, mode)) throw new ZooKeeperError('BAD_ARGUMENTS', { why: `there is no mode "${mode}"` })
  checkPath(mode.endsWith('-sequential') ? `${path}0` : path)
  const data = dataBytes(options.data)
  return {
    type: mode === 'container' ? createContainerType : createType,
    subject: `create ${path}`,
    asksLeader: true,
    write(out) {
      out.text(path).bytes(data)
      writeAcl(out, acl)
      out.int(modes[mode])
    },
    read: readCreated,
  }
}

export function readCreated(input: JuteReader): Created {
  return { path: input.text(), stat: readStat(input) }
}
