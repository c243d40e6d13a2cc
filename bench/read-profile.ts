/** `node bench/read-profile.ts <file.cpuprofile> [rows]`: where a process spent its time, by function and by part of the program. */
import { readFileSync } from 'node:fs'

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const [file, rows = '25'] = process.argv.slice(2)
if (file === undefined) {
  console.error('Usage: node bench/read-profile.ts <file.cpuprofile> [rows]')
  process.exit(2)
}
const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile
const selfUs = new Map<number, number>()
for (const [at, id] of profile.samples.entries()) selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0))

const busy = profile.nodes.filter(({ callFrame }) => callFrame.functionName !== '(idle)')
const totalUs = busy.reduce((sum, { id }) => sum + (selfUs.get(id) ?? 0), 0)
print('by part', (node) => partOf(node))
print('by function', ({ callFrame }) => {
  const { functionName, url, lineNumber } = callFrame
  return `${functionName || '(anonymous)'} ${shortened(url)}${url === '' ? '' : `:${lineNumber + 1}`}`
})

function print(title: string, nameOf: (node: ProfileNode) => string): void {
  const sums = new Map<string, number>()
  for (const node of busy) sums.set(nameOf(node), (sums.get(nameOf(node)) ?? 0) + (selfUs.get(node.id) ?? 0))
  const sorted = [...sums].sort(([, left], [, right]) => right - left).slice(0, Number(rows))
  console.log(`\n${title} (busy for ${(totalUs / 1_000).toFixed(0)} ms)`)
  for (const [name, us] of sorted) console.log(`${((us / totalUs) * 100).toFixed(1).padStart(6)} %  ${name}`)
}

/** Folders of ours, packages of others, and what Node does by itself. */
function partOf({ callFrame: { functionName, url } }: ProfileNode): string {
  if (url === '') return functionName === '(garbage collector)' ? functionName : '(native)'
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/')
  const ours = /packages\/(\w+)\/(?:dist|src)\/([\w-]+(?:\/[\w-]+)?)\//.exec(url)
  if (ours !== null) return `${ours[1]}/${ours[2]}`
  return /node_modules\/((?:@[\w-]+\/)?[\w-]+)/.exec(url)?.[1] ?? shortened(url)
}

function shortened(url: string): string {
  return url.split('/').slice(-3).join('/')
}
