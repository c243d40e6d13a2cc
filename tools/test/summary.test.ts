import { expect, it } from 'vitest'
import { countProgram, countVitest, markStepLine, skippedLines, total, verdictLine, withoutSkips } from './summary.ts'

it('a program reports its counts in its last line of counts', () => {
  const output = 'seed 1\n1 passed, 0 failed\nmore\n  12 passed, 0 failed, 2 skipped\nbye\n'
  expect(countProgram(output, 0)).toEqual({ passed: 12, failed: 0, skipped: 2 })
})

it('a program without counts is one test', () => {
  expect(countProgram('12 passed, 0 failed in all', 0)).toEqual({ passed: 1, failed: 0, skipped: 0 })
  expect(countProgram('', 3)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

it('an exit code other than zero is a failure, whatever was counted', () => {
  expect(countProgram('5 passed, 0 failed', 1).failed).toBe(1)
  expect(countVitest({ files: [], unhandled: 0 }, 1).failed).toBe(1)
  expect(countVitest(undefined, 1).failed).toBe(1)
})

it('an error outside any test is a failure', () => {
  expect(countVitest({ files: [], unhandled: 2 }, 1).failed).toBe(2)
})

it('only the verdict of the whole run is a bare line of counts', () => {
  expect(markStepLine('3 passed, 0 failed')).toBe('  this step: 3 passed, 0 failed')
  expect(markStepLine('seed 3 passed')).toBe('seed 3 passed')
})

it('the verdict names skips only when there are any', () => {
  const counts = total([
    { passed: 2, failed: 0, skipped: 1 },
    { passed: 3, failed: 1, skipped: 0 },
  ])
  expect(verdictLine(counts)).toBe('5 passed, 1 failed, 1 skipped')
  expect(verdictLine(withoutSkips(counts))).toBe('5 passed, 2 failed')
})

it('tests skipped for one reason share a line', () => {
  const skipped = ['a', 'b'].map((test) => ({ test, reason: 'no PostgreSQL' }))
  const files = [
    { file: 'x.test.ts', durationMs: 1, passed: 0, failed: 0, skipped: [...skipped, { test: 'c', reason: 'slow' }] },
  ]
  expect(skippedLines(files)).toEqual(['  x.test.ts: 2 tests: no PostgreSQL', '  x.test.ts: "c": slow'])
})
