/** Each rule is shown a text that breaks it and one that does not: a rule that never fires proves nothing. */
import { expect, it } from 'vitest'
import { addresses } from './addresses.ts'
import { bannedCalls } from './banned-calls.ts'
import { boundaries } from './boundaries.ts'
import { cycles } from './cycles.ts'
import { folderNames } from './folder-names.ts'
import { links } from './links.ts'
import { lockfile } from './lockfile.ts'
import { patternNames } from './pattern-names.ts'
import { sizes } from './sizes.ts'
import { type Rule, readSource } from './source.ts'
import { strictness } from './strictness.ts'

const src = 'packages/lockstep/src'
const saga = `${src}/transactions/saga.ts`
const driver = `${src}/coordinator/driver.ts`
const lines = (count: number) => 'x()\n'.repeat(count)
const machine = ['', 'work', 'main'].join('/')

interface Sample {
  readonly rule: Rule
  readonly path: string
  readonly bad: readonly string[]
  readonly good: readonly string[]
}

const samples: Record<string, Sample> = {
  'a domain folder imports contracts only': {
    rule: boundaries,
    path: saga,
    bad: [
      `import { x } from '../locks/mutex.ts'`,
      `import type { X } from '../stores/memory/index.ts'`,
      `import { Pool } from 'pg'`,
      `export * from '../adapters/pg.ts'`,
      `const x = await import('../outbox/relay.ts')`,
      `import { x } from '../../../server/src/main.ts'`,
    ],
    good: [
      `import { x } from '../ports/index.ts'\nimport { mutant } from '#mutant'\nimport { y } from './tcc.ts'`,
      `const sql = "select 1 from 'pg'"`,
      `// import { Pool } from 'pg'`,
    ],
  },
  'the coordinator knows no pattern': {
    rule: boundaries,
    path: driver,
    bad: [`import { saga } from '../transactions/saga.ts'`],
    good: [`import type { PatternDriver } from '../ports/index.ts'`],
  },
  'a store knows no other store': {
    rule: boundaries,
    path: `${src}/stores/sqlite/sqlite-store.ts`,
    bad: [`import { x } from '../memory/index.ts'`, `import { x } from '../../protocol/index.ts'`],
    good: [
      `import { x } from '../migrations/index.ts'\nimport { y } from '../page-cursor.ts'\nimport { z } from 'kysely'`,
    ],
  },
  'only compose.ts names a store': {
    rule: boundaries,
    path: 'packages/server/src/main.ts',
    bad: [`import { sqliteStore } from 'lockstep/sqlite'`, `import { conform } from '@lockstep/testkit'`],
    good: [`import { createCoordinator } from 'lockstep'`],
  },
  'compose.ts names stores, and no test kit': {
    rule: boundaries,
    path: 'packages/server/src/compose.ts',
    bad: [`import { conform } from '@lockstep/testkit'`],
    good: [`import { sqliteStore } from 'lockstep/sqlite'`],
  },
  'the console sees the protocol': {
    rule: boundaries,
    path: 'packages/console/src/list.ts',
    bad: [`import { saga } from 'lockstep'`, `import { serve } from '@lockstep/server'`],
    good: [`import type { Page } from 'lockstep/protocol'`],
  },
  'domain code calls nothing that differs between two runs': {
    rule: bannedCalls,
    path: saga,
    bad: [
      'const now = Date.now()',
      'const now = new globalThis.Date()',
      'const now = new Date',
      'performance.now()',
      'setTimeout(f, 1)',
      'setImmediate(f)',
      'process.nextTick(f)',
      'Math.random()',
      'crypto.randomUUID()',
      'await fetch(url)',
      'AbortSignal.timeout(5)',
      'queueMicrotask(f)',
      `import { readFile } from 'node:fs/promises'`,
      'const text = `${Date.now()}`',
    ],
    good: [
      '// Date.now() is the Clock port',
      `const text = 'Date.now()'`,
      'this.clock.now()',
      'cache.fetch(key)',
      'value instanceof Date',
      'type Sent<T> = T extends Date | bigint ? never : T',
      'const dateOf = (process: Process) => process',
    ],
  },
  'the simulator obeys the same ban': {
    rule: bannedCalls,
    path: 'sim/workload.ts',
    bad: ['setImmediate(f)', `import { randomUUID } from 'node:crypto'`],
    good: ['scheduler.after(5, f)'],
  },
  'one scheduler owns setImmediate and nothing else': {
    rule: bannedCalls,
    path: 'packages/testkit/src/simulator/scheduler.ts',
    bad: ['setTimeout(f, 1)', `import { readFile } from 'node:fs'`],
    good: ['setImmediate(f)', `import { setImmediate } from 'node:timers'`],
  },
  'files and functions are small': {
    rule: sizes,
    path: saga,
    bad: [
      lines(501),
      `function f(a: string): Promise<{ x: number }> {\n${lines(70)}}\n`,
      `const f = async (a: string) => {\n${lines(70)}}\n`,
      `class A {\n  run(a: { b: string } = {}): asserts a is B | { c: string } {\n${lines(70)}  }\n}\n`,
      `const f = <T extends object>(a: T): T => {\n${lines(70)}}\n`,
    ],
    good: [
      lines(500),
      `function f() {\n${lines(68)}}\n`,
      `if (a) {\n${lines(80)}}\n`,
      `const text = \`function f() {\n${lines(80)}}\n\``,
    ],
  },
  'nobody looks away': {
    rule: strictness,
    path: 'packages/server/src/serve.ts',
    bad: [
      'const a: any = 1',
      'f(a as any)',
      'const a = <any>b',
      'let a: Map<string, any>',
      'let a: any[]',
      '// @ts-ignore',
      '// @ts-expect-error wrong here',
      '// FIXME later',
      '// TODO later',
      `it.only('a', f)`,
      `it.skip('a', f)`,
    ],
    good: ['const a: unknown = 1', '// for any reason, as any', '// TODO(#12) later', `const many = 'it.only'`],
  },
  'a type test says what must not compile': {
    rule: strictness,
    path: 'packages/lockstep/src/saga.test-d.ts',
    bad: ['// @ts-ignore'],
    good: ['// @ts-expect-error a step that is not there'],
  },
  'the coordinator names no pattern': {
    rule: patternNames,
    path: driver,
    bad: [
      `if (row.pattern === 'saga') x()`,
      `if (row.pattern === 'message') x()`,
      'const xaBranches = 1',
      'run.compensate()',
      'this.cancel()',
      'deliverAll()',
    ],
    good: [
      '// a saga',
      'const exact = max',
      'timer.cancel()',
      'let timer: { cancel(): void }',
      'const confirmed = true',
    ],
  },
  'no machine is named': {
    rule: addresses,
    path: 'docs/start.md',
    bad: [`see ${machine}/README.md`, `https://${['registry', 'npmjs'].join('.')}.org/x`],
    good: ['docs/work/list', 'https://example.com/work/list'],
  },
  'the lockfile serves every registry and platform': {
    rule: lockfile,
    path: 'package-lock.json',
    bad: [
      '{ "packages": { "node_modules/a": { "resolved": "https://x/a.tgz" } } }',
      '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-arm": "1.0.0" } } } }',
    ],
    good: [
      '{ "packages": { "node_modules/a": { "resolved": "packages/a" } } }',
      '{ "packages": { "node_modules/a": { "optionalDependencies": { "b": "1" } }, "node_modules/b": {} } }',
    ],
  },
}

it.for(Object.entries(samples))('finds the bad samples and no good one: %s', ([, { rule, path, bad, good }]) => {
  for (const text of bad) expect(rule(readSource(path, text)), text).not.toEqual([])
  for (const text of good) expect(rule(readSource(path, text)), text).toEqual([])
})

it('a test may import what it likes', () => {
  expect(
    boundaries(readSource(`${src}/transactions/saga.test.ts`, `import { x } from '../stores/memory/index.ts'`)),
  ).toEqual([])
})

it('a list of tests may be long, a function in a test may not', () => {
  const path = `${src}/transactions/saga.test.ts`
  const list = `describe.each(all.filter(({ a }) => !a))('a $b', ({ b }) => {\n  it('c', d)\n${lines(80)}})\n`
  expect(sizes(readSource(path, list))).toEqual([])
  expect(sizes(readSource(path, `function f() {\n${lines(80)}}\n`))).not.toEqual([])
})

it('a catch-all folder is found, a file of that name is not', () => {
  expect(folderNames(readSource('packages/server/src/utils/ids.ts', ''))).not.toEqual([])
  expect(folderNames(readSource('packages/server/src/utils.ts', ''))).toEqual([])
})

it('a cycle is found, also through type imports, and reported once', () => {
  const a = readSource('a/a.ts', `import type { B } from '../b.ts'`)
  const b = readSource('b.ts', `export { c } from './c.ts'`)
  const c = readSource('c.ts', `import { a } from './a/a.ts'`)
  expect(cycles([a, b, c]).map((finding) => finding.message)).toEqual(['import cycle: a/a.ts → b.ts → c.ts → a/a.ts'])
  expect(cycles([a, b])).toEqual([])
})

it('a dead link is found outside code blocks, with its line', () => {
  const text = 'See [a](a.md), [b](../b.md#part), [w](https://x.y/z), [h](#h)\n```\n[c](c.md)\n```\n![d](img/d.png)\n'
  const found = links(readSource('docs/index.md', text), (path) => path === 'docs/a.md')
  expect(found.map(({ line, message }) => `${line} ${message}`)).toEqual([
    '1 no such file: ../b.md',
    '5 no such file: img/d.png',
  ])
})
