import { lineAt } from './source-text.ts'

export interface FunctionSize {
  readonly line: number
  readonly lines: number
  /** It registers tests, so it is a list of them and not a function that somebody has to follow. */
  readonly listsTests: boolean
}

const registersTest = /\b(?:describe|it|test)(?:\.\w+)?\(/

const controlWord = /(?:^|[^\w$.])(?:if|for|while|switch|catch|with|await)$/
/** The functions with a body in blanked code. One whose head the scanner does not understand is left out. */
export function functionsIn(code: string): FunctionSize[] {
  const closing = matchBrackets(code)
  const found: FunctionSize[] = []
  for (const [open, close] of closing) {
    if (code[open] !== '(' || controlWord.test(code.slice(Math.max(0, open - 20), open).trimEnd())) continue
    const body = bodyAfter(code, close + 1, closing)
    const end = body === undefined ? undefined : closing.get(body)
    if (end === undefined) continue
    const line = lineAt(code, open)
    found.push({ line, lines: lineAt(code, end) - line + 1, listsTests: registersTest.test(code.slice(open, end)) })
  }
  return found
}

/** The brace that opens the body behind a parameter list, past a return type and an arrow. */
function bodyAfter(code: string, from: number, closing: ReadonlyMap<number, number>): number | undefined {
  let at = skipSpace(code, from)
  if (code[at] === ':') at = skipType(code, at + 1, closing)
  if (code.startsWith('=>', at)) at = skipSpace(code, at + 2)
  return code[at] === '{' ? at : undefined
}

/** A brace after an operator of the type belongs to the type; one after a complete type opens the body. */
function skipType(code: string, from: number, closing: ReadonlyMap<number, number>): number {
  let at = skipSpace(code, from)
  let complete = false
  while (at < code.length) {
    const here = code[at] ?? ''
    if (code.startsWith('=>', at) || here === ';' || here === '=' || (here === '{' && complete)) return at
    const operator = here === '|' || here === '&' || here === ','
    if (here === ')' || here === ']' || here === '}' || (operator && here === ',')) return at
    const word = code.slice(at).match(/^[\w$.]+/)?.[0]
    at = skipSpace(code, word ? at + word.length : (closing.get(at) ?? at) + 1)
    complete = !operator && !/^(?:is|asserts|keyof|readonly|extends|infer|typeof|unique)$/.test(word ?? '')
  }
  return at
}

function skipSpace(code: string, from: number): number {
  return from + (code.slice(from).match(/^\s*/)?.[0].length ?? 0)
}

/** Round, square, curly and, in types, angle brackets: opening offset → closing offset. */
function matchBrackets(code: string): Map<number, number> {
  const closers: Record<string, string> = { '(': ')', '[': ']', '{': '}' }
  const pairs = new Map<number, number>()
  const open: number[] = []
  for (let at = 0; at < code.length; at += 1) {
    const here = code[at] ?? ''
    if (here in closers) open.push(at)
    else if (here === closers[code[open.at(-1) ?? -1] ?? '']) pairs.set(open.pop() ?? 0, at)
  }
  addTypeArguments(code, pairs)
  return new Map([...pairs].sort(([a], [b]) => a - b))
}

/** `<` directly behind a name, closed on the way to a balanced `>`: enough for return types. */
function addTypeArguments(code: string, pairs: Map<number, number>): void {
  for (const match of code.matchAll(/\w</g)) {
    const start = match.index + 1
    let depth = 0
    for (let at = start; at < Math.min(code.length, start + 400); at += 1) {
      if (code[at] === '<') depth += 1
      if (code[at] === '>' && code[at - 1] !== '=') depth -= 1
      if (depth > 0) continue
      pairs.set(start, at)
      break
    }
  }
}
