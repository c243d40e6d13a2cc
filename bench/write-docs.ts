/**
 * `node bench/write-docs.ts <record.json> [docs/performance.md]`: puts the tables of a record into the document. A block stands between
 * `<!-- bench: tcc -->` and `<!-- bench end -->`; one for which the record has no figures is left as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { blocks } from './report/markdown.ts'
import type { BenchRecord } from './report/record.ts'

const root = join(import.meta.dirname, '..')
const [recordFile, document = join(root, 'docs', 'performance.md')] = process.argv.slice(2)
if (recordFile === undefined) {
  console.error('Usage: node bench/write-docs.ts <record.json> [document]')
  process.exit(2)
}
const record = JSON.parse(readFileSync(recordFile, 'utf8')) as BenchRecord
const shownFile = relative(root, resolve(recordFile))
const written: string[] = []
const text = readFileSync(document, 'utf8').replaceAll(
  /<!-- bench: (\w+) -->\n[\s\S]*?<!-- bench end -->/g,
  (before, name: string) => {
    const block = blocks[name]
    if (block === undefined) throw new Error(`${document} has a block ${name}, which nobody writes.`)
    const content = block(record, shownFile)
    if (content === '') return before
    written.push(name)
    return `<!-- bench: ${name} -->\n${content}\n<!-- bench end -->`
  },
)
writeFileSync(document, text)
console.log(
  `${relative(process.cwd(), document)}: ${written.length === 0 ? 'nothing' : written.join(', ')} written anew.`,
)
