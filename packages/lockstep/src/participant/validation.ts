import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { InputIssue } from '../errors.ts'
import type { Json } from '../ports/index.ts'
import { Verdict } from '../ports/index.ts'

const issuesMax = 20

/** The parsed input; a bad one is refused with `invalid-input`, since no repeat can mend it. */
export async function validate<Parsed>(schema: StandardSchemaV1<unknown, Parsed>, input: Json): Promise<Parsed> {
  const validated = schema['~standard'].validate(input)
  const result = validated instanceof Promise ? await validated : validated
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, issuesMax).map(({ path, message }) => ({ path: pointer(path), message }))
  throw new Verdict({ kind: 'refused', reason: { code: 'invalid-input', issues } })
}

function pointer(path: StandardSchemaV1.Issue['path']): InputIssue['path'] {
  return (path ?? [])
    .map((segment) => (typeof segment === 'object' ? segment.key : segment))
    .map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('')
}
