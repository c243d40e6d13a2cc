import { placeOf } from './areas.ts'
import { type Finding, isTest, type Rule } from './source.ts'

/** Names of patterns and of their operations. `message` is a word of every day, so only the comparison with it counts. */
const patternWords = new Set([
  'saga',
  'tcc',
  'xa',
  'notification',
  'compensate',
  'confirm',
  'cancel',
  'deliver',
  'delivery',
])
const comparedWithMessage = /(?:===|!==|case)\s*['"]message['"]/
/** A timer of the Timers port is cancelled, without arguments. */
const timerCancel = /(?<!\bthis\.)\bcancel\(\)/g

/** The driver, the journal and the stores carry every pattern, so they name none: a new one must not touch them. */
export const patternNames: Rule = (source) => {
  const place = placeOf(source.path)
  if (place?.package !== 'lockstep' || isTest(source.path)) return []
  if (place.area !== 'coordinator' && place.area !== 'stores') return []
  const findings: Finding[] = []
  for (const [index, line] of source.uncommented.replaceAll(timerCancel, '').split('\n').entries()) {
    const word = comparedWithMessage.test(line) ? 'message' : wordsOf(line).find((each) => patternWords.has(each))
    if (word) findings.push({ path: source.path, line: index + 1, message: `names a pattern: ${word}` })
  }
  return findings
}

/** `xaBranch`, `XaBranch` and `xa_branch` contain the word `xa`, `exact` does not. */
function wordsOf(line: string): string[] {
  return line
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
}
