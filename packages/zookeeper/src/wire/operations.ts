import { type AclEntry, readAcl, writeAcl } from './acl.ts'
import { checkPath, dataBytes, type Operation } from './operation.ts'
import { readStat, type Stat } from './stat.ts'

export interface NodeData {
  readonly data: Buffer
  readonly stat: Stat
}

export interface NodeChildren {
  /** Names without the path, in no order. */
  readonly children: readonly string[]
  readonly stat: Stat
}

export interface NodeAcl {
  readonly acl: readonly AclEntry[]
  readonly stat: Stat
}

/** Matches whatever version the node has. */
export const anyVersion = -1

const nothing = (): undefined => undefined

export function remove(path: string, version: number): Operation<undefined> {
  checkPath(path)
  const write: Operation<undefined>['write'] = (out) => void out.text(path).int(version)
  return { type: 2, subject: `delete ${path}`, asksLeader: true, write, read: nothing }
}

export function exists(path: string, watch: boolean): Operation<Stat | null> {
  checkPath(path)
  const write: Operation<Stat>['write'] = (out) => void out.text(path).bool(watch)
  return { type: 3, subject: `exists ${path}`, write, read: readStat, noNode: { result: null } }
}

export function getData(path: string, watch: boolean): Operation<NodeData> {
  checkPath(path)
  return {
    type: 4,
    subject: `getData ${path}`,
    write: (out) => void out.text(path).bool(watch),
    read: (input) => ({ data: input.bytes(), stat: readStat(input) }),
  }
}

export function setData(path: string, data: Uint8Array | string, version: number): Operation<Stat> {
  checkPath(path)
  const bytes = dataBytes(data)
  const write: Operation<Stat>['write'] = (out) => void out.text(path).bytes(bytes).int(version)
  return { type: 5, subject: `setData ${path}`, asksLeader: true, write, read: readStat }
}

export function getAcl(path: string): Operation<NodeAcl> {
  checkPath(path)
  return {
    type: 6,
    subject: `getAcl ${path}`,
    write: (out) => void out.text(path),
    read: (input) => ({ acl: readAcl(input), stat: readStat(input) }),
  }
}

export function setAcl(path: string, acl: readonly AclEntry[], version: number): Operation<Stat> {
  checkPath(path)
  return {
    type: 7,
    subject: `setAcl ${path}`,
    asksLeader: true,
    write(out) {
      writeAcl(out.text(path), acl)
      out.int(version)
    },
    read: readStat,
  }
}

export function sync(path: string): Operation<undefined> {
  checkPath(path)
  const write: Operation<undefined>['write'] = (out) => void out.text(path)
  return { type: 9, subject: `sync ${path}`, asksLeader: true, write, read: (input) => void input.text() }
}

export function getChildren(path: string, watch: boolean): Operation<NodeChildren> {
  checkPath(path)
  return {
    type: 12,
    subject: `getChildren ${path}`,
    write: (out) => void out.text(path).bool(watch),
    read: (input) => ({ children: input.list(() => input.text()), stat: readStat(input) }),
  }
}

export function closeSession(): Operation<undefined> {
  return { type: -11, subject: 'close the session', write: nothing, read: nothing }
}
