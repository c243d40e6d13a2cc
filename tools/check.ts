/** `npm run check`: types of everything, format and lint, and the tidy test. Every part runs, so one run shows all. */
import { requirePinnedNode } from './pinned-node.ts'
import { biomeCommand, type Command, tscCommand, vitestCommand } from './programs.ts'
import { endChildrenOnSignal, runProgram } from './run-program.ts'

requirePinnedNode()
endChildrenOnSignal()

const parts: readonly { readonly name: string; readonly command: Command }[] = [
  { name: 'types (tsc -b)', command: tscCommand(['-b']) },
  { name: 'format and lint (biome)', command: biomeCommand(['ci', '--colors=off']) },
  { name: 'tidy', command: vitestCommand(['tools/tidy.test.ts', 'tools/tidy']) },
]

const failed: string[] = []
for (const { name, command } of parts) {
  const result = await runProgram(command, { output: 'keep', limitMs: 180_000, env: { NO_COLOR: '1' } })
  const ok = result.code === 0
  console.log(`lockstep: ${name}: ${ok ? 'ok' : 'failed'} (${(result.durationMs / 1000).toFixed(1)} s)`)
  if (ok) continue
  failed.push(name)
  console.log(result.output)
}
console.log(failed.length === 0 ? 'lockstep: check passed' : `lockstep: check failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
