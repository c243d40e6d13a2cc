/** `npm run build`: compiles the packages into their dist folders. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildHash, builtPackages, isWhole, recordBuild } from './bootstrap/build-state.mjs'
import { requirePinnedNode } from './pinned-node.ts'
import { root, tscCommand } from './programs.ts'
import { runProgram } from './run-program.ts'

requirePinnedNode()

/** A source that was deleted or renamed leaves its output behind, and an import of it would still work here only. */
function removeOrphans(folder: string): void {
  const dist = join(folder, 'dist')
  if (!existsSync(dist)) return
  for (const entry of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const stem = entry.match(/^(.*?)\.(?:d\.ts|js)(?:\.map)?$/)?.[1]
    if (stem !== undefined && !existsSync(join(folder, 'src', `${stem}.ts`))) rmSync(join(dist, entry))
  }
}

const startedMs = Date.now()
process.stdout.write('lockstep: building the packages (tsc -b) … ')
const hash = buildHash(root)
const packages = builtPackages(root)
for (const folder of packages) {
  removeOrphans(folder)
  // The compiler trusts its own notes and would not make again what is missing.
  if (!isWhole(folder)) rmSync(join(folder, 'dist', '.tsbuildinfo'), { force: true })
}
const result = await runProgram(tscCommand(['-b', ...packages]), { output: 'keep' })
if (result.code === 0) {
  recordBuild(root, hash)
  console.log(`done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
} else {
  console.log('failed')
  console.log(result.output)
}
process.exitCode = result.code
