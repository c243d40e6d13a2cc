import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSource, type Source } from './source.ts'

const notOurs = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage'])
/** What holds no text, or only numbers of runs. */
const notText = /\.(?:png|jpe?g|gif|ico|svg|woff2?|gz|db|db-(?:wal|shm)|lock|log|tsbuildinfo)$/

/** Every text file of the repository. It walks the folders, so that a copy without git is checked as well. */
export function readTree(root: string): Source[] {
  const paths: string[] = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && !notOurs.has(entry.name)) walk(path)
      else if (entry.isFile() && !notText.test(entry.name)) paths.push(path)
    }
  }
  walk('')
  return paths.sort().map((path) => readSource(path, readFileSync(join(root, path), 'utf8')))
}
