import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { errorTable, isLockstepError, LockstepError } from './errors.ts'

const packages = fileURLToPath(new URL('../../', import.meta.url))
const documented = readFileSync(join(packages, '../docs/errors.md'), 'utf8')

function sources(): string {
  const files = ['lockstep/src', 'server/src'].flatMap((folder) =>
    readdirSync(join(packages, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'errors.ts')
      .map((file) => readFileSync(join(packages, folder, file), 'utf8')),
  )
  return files.join('\n')
}

it('every code is documented with its status, its outcome and what to do', () => {
  for (const [code, row] of Object.entries(errorTable)) {
    const again = row.retriable ? 'yes' : 'no'
    expect(documented).toContain(
      `| \`${code}\` | ${row.status} | ${row.title} | ${row.outcome} | ${again} | ${row.next} |`,
    )
  }
})

it('no code is documented that does not exist', () => {
  const named = [...documented.matchAll(/`(LOCKSTEP_[A-Z_]+)`/g)].map(([, code]) => code)
  expect(named.filter((code) => code !== undefined && !(code in errorTable))).toEqual([])
})

/** Codes of the protocol that nothing can raise before keys and scopes exist. */
const reserved = ['LOCKSTEP_UNAUTHENTICATED', 'LOCKSTEP_FORBIDDEN']

it('every code is raised somewhere', () => {
  const text = sources()
  const silent = Object.keys(errorTable).filter((code) => !reserved.includes(code) && !text.includes(`'${code}'`))
  expect(silent).toEqual([])
})

it('an error made by another copy of the package is recognised', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('lockstep.error')]: true, code: 'LOCKSTEP_BUSY' })
  expect(isLockstepError(foreign, 'LOCKSTEP_BUSY')).toBe(true)
  expect(isLockstepError(foreign, 'LOCKSTEP_BUG')).toBe(false)
  expect(isLockstepError(new LockstepError('LOCKSTEP_BUG', { message: 'x' }))).toBe(true)
  expect(isLockstepError(new Error('x'))).toBe(false)
})
