import { lineAt, sourceText } from './source-text.ts'

/** A tracked file as the rules see it. `path` is relative to the root, with forward slashes. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly code: string
  readonly uncommented: string
  readonly imports: readonly Import[]
}

export interface Import {
  readonly specifier: string
  readonly line: number
}

export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** One rule over one file. A file that the rule does not concern has no findings. */
export type Rule = (source: Source) => readonly Finding[]

const importStatement = /\bfrom\s*(['"])|\bimport\s*\(?\s*(['"])/g

export function readSource(path: string, text: string): Source {
  if (!isScript(path)) return { path, text, code: '', uncommented: text, imports: [] }
  const { code, uncommented } = sourceText(text)
  return { path, text, code, uncommented, imports: importsOf(text, code) }
}

export function isScript(path: string): boolean {
  return /\.(?:ts|tsx|mjs|js)$/.test(path)
}

export function isTest(path: string): boolean {
  return /\.test(?:-d)?\.tsx?$/.test(path) || /^packages\/[^/]+\/test\//.test(path)
}

/** Every place where the pattern, which must be global, is found in the given text of the file. */
export function findAll(source: Source, text: string, pattern: RegExp, message: (found: string) => string): Finding[] {
  return [...text.matchAll(pattern)].map((match) => ({
    path: source.path,
    line: lineAt(text, match.index),
    message: message(match[0]),
  }))
}

/** Statements are found in the blanked code, so an import quoted in a string is none; the name is read from the text. */
function importsOf(text: string, code: string): Import[] {
  return [...code.matchAll(importStatement)].map((match) => {
    const start = match.index + match[0].length
    const end = text.indexOf(match[1] ?? match[2] ?? '', start)
    return { specifier: text.slice(start, end), line: lineAt(text, match.index) }
  })
}
