import type { Operation } from './operation.ts'

/** Who the client claims to be. `digest` with `user:password` is what every server knows. */
export interface Credentials {
  readonly scheme: string
  readonly secret: Uint8Array | string
}

/** A server knows credentials by this number. */
export const authXid = -4

export function authentication({ scheme, secret }: Credentials): Operation<undefined> {
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret
  return {
    type: 100,
    subject: `authenticate by ${scheme}`,
    write: (out) => void out.int(0).text(scheme).bytes(bytes),
    read: () => undefined,
  }
}
