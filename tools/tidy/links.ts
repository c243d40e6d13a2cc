import { posix } from 'node:path'
import type { Finding, Source } from './source.ts'
import { lineAt } from './source-text.ts'

const markdownLink = /!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g
const codeBlock = /^(```|~~~)[\s\S]*?^\1/gm
const outside = /^(?:[a-z][a-z\d+.-]*:|\/\/)/i

/** Relative links of a Markdown file that lead nowhere. Headings are not checked, only files and folders. */
export function links(source: Source, exists: (path: string) => boolean): Finding[] {
  if (!source.path.endsWith('.md')) return []
  const prose = source.text.replaceAll(codeBlock, (block) => block.replaceAll(/[^\n]/g, ' '))
  return [...prose.matchAll(markdownLink)].flatMap((match) => {
    const target = (match[1] ?? '').replace(/[#?].*$/, '')
    if (target === '' || outside.test(target)) return []
    const path = posix.join(posix.dirname(source.path), decodeURI(target))
    return exists(path)
      ? []
      : [{ path: source.path, line: lineAt(prose, match.index), message: `no such file: ${target}` }]
  })
}
