import { readFileSync } from 'node:fs'
import { messageOf } from 'lockstep'
import { type Address, mistakenAddress } from './address.ts'

export const tlsOptions = ['ca', 'cert', 'key'] as const

export type TlsFiles = Partial<Record<(typeof tlsOptions)[number], string>>

/** PEM files that the options name: whom to believe, and who we are. Node believes the usual authorities without them. */
export function readTlsFiles({ scheme, options }: Address): TlsFiles {
  const files = tlsOptions.flatMap((name) => {
    const path = options.get(name)
    return path === undefined ? [] : [[name, readPem(scheme, name, path)] as const]
  })
  return Object.fromEntries(files)
}

function readPem(scheme: string, name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw mistakenAddress(
      scheme,
      `names a file for ${name} that cannot be read: ${messageOf(error)}`,
      'Name a PEM file.',
    )
  }
}
