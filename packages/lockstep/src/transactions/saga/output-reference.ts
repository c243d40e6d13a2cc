import type { Json } from '../../ports/index.ts'

/**
 * `{ "$output": step, "path": JSON Pointer }` anywhere in a step's input stands for a value of an earlier step's output.
 * It is recognised only in an object with exactly these two keys.
 */
export interface OutputReference {
  readonly $output: string
  readonly path: string
}

export function asReference(value: Json): OutputReference | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null
  const object = value as { readonly [key: string]: Json }
  const { $output: step, path } = object
  if (typeof step !== 'string' || typeof path !== 'string' || Object.keys(object).length !== 2) return null
  return { $output: step, path }
}

/** Every reference in `input`, with the JSON Pointer of its place; `at` is where the input itself stands. */
export function findReferences(
  input: Json,
  at: string,
): { readonly reference: OutputReference; readonly at: string }[] {
  const reference = asReference(input)
  if (reference !== null) return [{ reference, at }]
  if (input === null || typeof input !== 'object') return []
  return Object.entries(input).flatMap(([key, value]) => {
    return findReferences(value, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
  })
}

/** RFC 6901: empty, or tokens that each start with `/`; `~` only as `~0` or `~1`. */
export function isPointer(path: string): boolean {
  return /^(\/([^~/]|~[01])*)*$/.test(path)
}

/** The value behind a pointer, or undefined when there is none. */
function follow(output: Json, path: string): Json | undefined {
  let value: Json | undefined = output
  for (const token of path.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (value === null || typeof value !== 'object') return undefined
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(key)) return undefined
    if (!Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, Json>)[key]
  }
  return value
}

export type Resolved = { readonly input: Json } | { readonly missing: OutputReference }

/** Replaces every reference; says which one finds nothing. */
export function resolveReferences(input: Json, outputOf: (step: string) => Json | undefined): Resolved {
  const reference = asReference(input)
  if (reference !== null) {
    const output = outputOf(reference.$output)
    const value = output === undefined ? undefined : follow(output, reference.path)
    return value === undefined ? { missing: reference } : { input: value }
  }
  if (input === null || typeof input !== 'object') return { input }
  const entries: [string, Json][] = []
  for (const [key, value] of Object.entries(input)) {
    const resolved = resolveReferences(value, outputOf)
    if ('missing' in resolved) return resolved
    entries.push([key, resolved.input])
  }
  return { input: Array.isArray(input) ? entries.map(([, value]) => value) : Object.fromEntries(entries) }
}
