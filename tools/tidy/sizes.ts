import { functionsIn } from './functions.ts'
import { type Finding, isScript, isTest, type Rule } from './source.ts'

const fileLinesMax = 500
const functionLinesMax = 70

export const sizes: Rule = (source) => {
  if (!isScript(source.path)) return []
  const findings: Finding[] = []
  const lines = source.text.split('\n').length - 1
  if (lines > fileLinesMax) {
    findings.push({ path: source.path, line: 1, message: `${lines} lines, at most ${fileLinesMax}` })
  }
  for (const { line, lines, listsTests } of functionsIn(source.code)) {
    if (lines <= functionLinesMax || (listsTests && isTest(source.path))) continue
    findings.push({ path: source.path, line, message: `a function of ${lines} lines, at most ${functionLinesMax}` })
  }
  return findings
}
