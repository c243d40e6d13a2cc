import { createHash } from 'node:crypto'
import type { JuteReader } from './jute-reader.ts'
import type { JuteWriter } from './jute-writer.ts'

const bits = { read: 1, write: 2, create: 4, delete: 8, admin: 16 } as const

export type Permission = keyof typeof bits

export const allPermissions: readonly Permission[] = ['read', 'write', 'create', 'delete', 'admin']

/** Who may do what with a node. It says nothing of the children of the node. */
export interface AclEntry {
  readonly permissions: readonly Permission[]
  /** `world`, `auth`, `digest`, `ip`, `x509`. */
  readonly scheme: string
  readonly id: string
}

/** Anybody may do anything: what a node has when nothing is said. */
export const openAcl: readonly AclEntry[] = [{ permissions: allPermissions, scheme: 'world', id: 'anyone' }]

/** Only whom the session has proven to be; refused with `INVALID_ACL` when it has proven nothing. */
export const creatorAcl: readonly AclEntry[] = [{ permissions: allPermissions, scheme: 'auth', id: '' }]

/** The id of `user` as it stands in an ACL of the scheme `digest`. */
export function digestId(user: string, password: string): string {
  return `${user}:${createHash('sha1').update(`${user}:${password}`).digest('base64')}`
}

export function writeAcl(out: JuteWriter, acl: readonly AclEntry[]): void {
  out.list(acl, ({ permissions, scheme, id }) => {
    out
      .int(permissions.reduce((sum, permission) => sum | bits[permission], 0))
      .text(scheme)
      .text(id)
  })
}

export function readAcl(input: JuteReader): AclEntry[] {
  return input.list(() => {
    const mask = input.int()
    const permissions = allPermissions.filter((permission) => (mask & bits[permission]) !== 0)
    return { permissions, scheme: input.text(), id: input.text() }
  })
}
