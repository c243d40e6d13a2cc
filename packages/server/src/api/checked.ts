import { type InputIssue, LockstepError } from 'lockstep'
import type { z } from 'zod'

/** The value as its schema says, or `LOCKSTEP_INVALID_REQUEST` with everything that is wrong and where. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  pathOf: (path: readonly PropertyKey[]) => string = pointer,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.flatMap((issue) => issuesOf(issue, pathOf))
  const [first] = issues
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  const message = `${first?.path || 'The body'} ${first?.message ?? 'is not valid'}${more}`
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues })
}

function issuesOf(issue: z.core.$ZodIssue, pathOf: (path: readonly PropertyKey[]) => string): InputIssue[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: pathOf(issue.path), message: wordsOf(issue) }]
  return issue.keys.map((key) => ({ path: pathOf([...issue.path, key.slice(0, 80)]), message: 'is unknown' }))
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.join(', ')}`
  if (issue.code === 'invalid_type')
    return issue.input === undefined ? 'is missing' : `must be of type ${issue.expected}`
  return issue.message
}

function pointer(path: readonly PropertyKey[]): string {
  return path.map((token) => `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
