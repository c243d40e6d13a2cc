import { type Finding, findAll, isScript, type Rule, type Source } from './source.ts'

const anyType = /(?::|\bas|<|\||&|,|=>|=)\s*any\b(?=\s*(?:[,;=)>\]}|&\n]|\[\]|$))/g
const typeEscape = /@ts-(?:ignore|nocheck|expect-error)\b/g
const typeEscapeOfTypeTest = /@ts-(?:ignore|nocheck)\b/g
const openEnd = /\bFIXME\b/g
const todoWithoutIssue = /\bTODO\b(?!\s*\(?#\d+)/g
const onlyTest = /\b(?:it|test|describe|suite)\.only\b/g
/** The summary of `npm test` prints the reasons, and only `context.skip('reason')` carries one. */
const skippedTest = /\b(?:it|test|describe|suite)\.(?:skip|skipIf|runIf|todo)\b/g

/** The shortcuts that make the compiler or the suites look away. A type test says what must not compile. */
export const strictness: Rule = (source) => {
  if (!isScript(source.path)) return []
  const typeTest = source.path.endsWith('.test-d.ts')
  const comments = commentsOf(source)
  const forbidden = typeTest ? typeEscapeOfTypeTest : typeEscape
  const rules: Finding[][] = [
    typeTest ? [] : findAll(source, source.code, anyType, () => '`any` switches the compiler off: use `unknown`'),
    findAll(source, comments, forbidden, (found) => `${found}: say it in types`),
    findAll(source, comments, openEnd, () => 'mend it, or open an issue and write TODO with its number'),
    findAll(source, comments, todoWithoutIssue, () => 'needs the number of an issue'),
    findAll(source, source.code, onlyTest, (found) => `${found} hides every other test`),
    findAll(
      source,
      source.code,
      skippedTest,
      (found) => `${found} gives no reason: use context.skip('reason'), or add the test under an if`,
    ),
  ]
  return rules.flat()
}

function commentsOf({ text, uncommented }: Source): string {
  return [...text.split('')]
    .map((here, at) => (uncommented[at] === here ? (here === '\n' ? here : ' ') : here))
    .join('')
}
