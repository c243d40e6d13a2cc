/**
 * A file's text with what is not code blanked out. Blanked characters become spaces and line ends stay, so every
 * offset and line number is that of the file. This is a scanner, not a parser: it knows comments, strings, template
 * literals and regular expressions, which is all that the rules need to stand on.
 */
export interface SourceText {
  /** Comments, and what is between the quotes of strings, templates and regular expressions, blanked. */
  readonly code: string
  /** Only comments blanked. */
  readonly uncommented: string
}

interface Scan {
  readonly text: string
  readonly code: string[]
  readonly uncommented: string[]
  at: number
}

const wordBeforeRegex = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield)$/

export function sourceText(text: string): SourceText {
  const scan: Scan = { text, code: [...text.split('')], uncommented: [...text.split('')], at: 0 }
  scanCode(scan, false)
  return { code: scan.code.join(''), uncommented: scan.uncommented.join('') }
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** Reads code up to the end of the text or, inside a template, up to the brace that closes the expression. */
function scanCode(scan: Scan, inTemplate: boolean): void {
  let depth = 0
  while (scan.at < scan.text.length) {
    const here = scan.text[scan.at]
    if (here === '{') depth += 1
    if (here === '}') {
      if (inTemplate && depth === 0) return
      depth -= 1
    }
    if (!scanLiteral(scan)) scan.at += 1
  }
}

/** Steps over a comment or a literal that begins here. False when neither does. */
function scanLiteral(scan: Scan): boolean {
  const here = scan.text[scan.at]
  const pair = scan.text.slice(scan.at, scan.at + 2)
  if (pair === '//') return blankComment(scan, indexOrEnd(scan.text, '\n', scan.at))
  if (pair === '/*') return blankComment(scan, indexOrEnd(scan.text, '*/', scan.at) + 2)
  if (here === "'" || here === '"') return scanQuoted(scan, here)
  if (here === '`') return scanTemplate(scan)
  if (here === '/' && regexMayBegin(scan)) return scanRegex(scan)
  return false
}

function blankComment(scan: Scan, end: number): true {
  blank(scan.code, scan.at, end)
  blank(scan.uncommented, scan.at, end)
  scan.at = Math.min(end, scan.text.length)
  return true
}

function scanQuoted(scan: Scan, quote: string): true {
  let end = scan.at + 1
  while (end < scan.text.length && scan.text[end] !== quote && scan.text[end] !== '\n') {
    end += scan.text[end] === '\\' ? 2 : 1
  }
  blank(scan.code, scan.at + 1, end)
  scan.at = end + 1
  return true
}

function scanTemplate(scan: Scan): true {
  scan.at += 1
  while (scan.at < scan.text.length && scan.text[scan.at] !== '`') {
    if (scan.text.startsWith('${', scan.at)) {
      scan.at += 2
      scanCode(scan, true)
      scan.at += 1
      continue
    }
    const width = scan.text[scan.at] === '\\' ? 2 : 1
    blank(scan.code, scan.at, scan.at + width)
    scan.at += width
  }
  scan.at += 1
  return true
}

function scanRegex(scan: Scan): true {
  let end = scan.at + 1
  let inClass = false
  while (end < scan.text.length && scan.text[end] !== '\n' && (inClass || scan.text[end] !== '/')) {
    if (scan.text[end] === '[') inClass = true
    if (scan.text[end] === ']') inClass = false
    end += scan.text[end] === '\\' ? 2 : 1
  }
  blank(scan.code, scan.at + 1, end)
  scan.at = end + 1
  return true
}

/** A slash after a value divides; after an operator, a bracket that opens, or a keyword it begins an expression. */
function regexMayBegin(scan: Scan): boolean {
  const before = scan.code
    .slice(Math.max(0, scan.at - 200), scan.at)
    .join('')
    .trimEnd()
  const last = before.at(-1)
  if (last === undefined) return true
  return wordBeforeRegex.test(before) || !/[\w$)\]}'"`]/.test(last)
}

function blank(characters: string[], from: number, to: number): void {
  for (let at = from; at < Math.min(to, characters.length); at += 1) {
    if (characters[at] !== '\n') characters[at] = ' '
  }
}

function indexOrEnd(text: string, wanted: string, from: number): number {
  const found = text.indexOf(wanted, from)
  return found === -1 ? text.length : found
}
