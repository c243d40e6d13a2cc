import { LockstepError } from '../../errors.ts'

export type StoreTarget =
  | { readonly dialect: 'sqlite'; readonly path: string }
  | { readonly dialect: 'postgres'; readonly url: string }

/** Reads a store URL: `sqlite:./lockstep.db` or `postgres://user@host/database`. */
export function storeTarget(url: string): StoreTarget {
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
    if (path !== '' && path !== ':memory:') return { dialect: 'sqlite', path }
  }
  if (/^postgres(ql)?:\/\//.test(url)) return { dialect: 'postgres', url }
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'The store URL names no store that Lockstep knows.',
    next: 'Use sqlite:./lockstep.db or postgres://user:password@host:5432/database.',
  })
}
