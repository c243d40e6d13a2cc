import { expect, it } from 'vitest'
import { sourceText } from './source-text.ts'

const cases: Record<string, readonly [text: string, code: string]> = {
  'comments are blanked, line ends stay': ['a // b\nc /* d\ne */ f', 'a     \nc     \n     f'],
  'strings keep their quotes': [`a('it\\'s', "b")`, `a('     ', " ")`],
  'a comment sign inside a string is none': [`a('//') // b`, `a('  ')     `],
  'templates keep their expressions': ['`a ${b(`c ${d}`)} e`', '`  ${b(`  ${d}`)}  `'],
  'an object inside a template expression does not end it': ['`${f({ a: 1 })} b`', '`${f({ a: 1 })}  `'],
  'a regular expression is blanked, also its slashes and quotes': [`x = /['/]\\//g + 1`, `x = /      /g + 1`],
  'a regular expression may follow a keyword': [`return /'/`, 'return / /'],
  'a division is no regular expression': ['a / b / c // d', 'a / b / c     '],
  'a division may follow a bracket': [`(a) / 2 + '/'`, `(a) / 2 + ' '`],
  'a string that is not closed ends with its line': [`a = 'b\nc`, `a = ' \nc`],
}

it.for(Object.entries(cases))('%s', ([, [text, code]]) => {
  expect(sourceText(text).code).toBe(code)
})

it('only comments are missing from the uncommented text', () => {
  expect(sourceText(`a('b') // c`).uncommented).toBe(`a('b')     `)
})
