/** The style rules that a machine can check, over every file of the repository. What each is for stands in its file. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from './programs.ts'
import { addresses } from './tidy/addresses.ts'
import { bannedCalls } from './tidy/banned-calls.ts'
import { boundaries } from './tidy/boundaries.ts'
import { cycles } from './tidy/cycles.ts'
import { folderNames } from './tidy/folder-names.ts'
import { links } from './tidy/links.ts'
import { lockfile } from './tidy/lockfile.ts'
import { patternNames } from './tidy/pattern-names.ts'
import { sizes } from './tidy/sizes.ts'
import type { Finding, Rule } from './tidy/source.ts'
import { strictness } from './tidy/strictness.ts'
import { readTree } from './tidy/tree.ts'

const tree = readTree(root)

const rules: readonly (readonly [promise: string, rule: Rule])[] = [
  ['imports point inwards only', boundaries],
  ['domain code and the simulator take time, chance and the world from ports', bannedCalls],
  ['files and functions stay small', sizes],
  ['nobody asks the compiler or the suites to look away', strictness],
  ['the coordinator and the stores name no pattern', patternNames],
  ['no file holds the address of a registry or a path of one machine', addresses],
  ['the lockfile serves every registry and platform', lockfile],
  ['no folder is a catch-all', folderNames],
  [
    'relative links of Markdown files lead somewhere',
    (source) => links(source, (path) => existsSync(join(root, path))),
  ],
]

it.for(rules)('%s', ([, rule]) => {
  expect(tree.flatMap((source) => rule(source)).map(format)).toEqual([])
})

it('no file imports itself, however far round', () => {
  expect(cycles(tree).map(format)).toEqual([])
})

function format({ path, line, message }: Finding): string {
  return `${path}:${line} ${message}`
}
