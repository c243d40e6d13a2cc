import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildIsCurrent } from './bootstrap/build-state.mjs'
import { pathWithoutWorkspace } from './bootstrap/install.mjs'
import { root } from './programs.ts'

/** The packages as npm would publish them, installed beside a program that uses them as anybody would. */
const run = promisify(execFile)
const packages = {
  lockstep: 'lockstep',
  server: '@lockstep/server',
  testkit: '@lockstep/testkit',
  zookeeper: '@lockstep/zookeeper',
  etcd: '@lockstep/etcd',
} as const
const folder = mkdtempSync(join(tmpdir(), 'lockstep-packages-'))

type Condition = string | { readonly [condition: string]: Condition }
interface Manifest {
  readonly exports: Readonly<Record<string, Condition>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

const placeOf = (name: string): string => join(folder, 'node_modules', name)
const manifestOf = (name: string): Manifest => JSON.parse(readFileSync(join(placeOf(name), 'package.json'), 'utf8'))

/** Without the conditions and options of the test runner: a user has none of them. */
async function node(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } })
  return stdout
}

function program(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return name
}

async function build(): Promise<void> {
  if (buildIsCurrent(root)) return
  await run(process.execPath, [join(root, 'tools/build.ts')], { cwd: root }).catch((error: { stdout: string }) => {
    throw new Error(`The packages cannot be packed, because they cannot be built.\n${error.stdout}`)
  })
}

async function pack(directory: string, name: string): Promise<void> {
  const archives = mkdtempSync(join(folder, 'packed-'))
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', archives]
  await run('npm', args, {
    cwd: join(root, 'packages', directory),
    env: { ...process.env, PATH: pathWithoutWorkspace(root) },
  })
  const [archive = ''] = readdirSync(archives)
  mkdirSync(placeOf(name), { recursive: true })
  await run('tar', ['-xzf', join(archives, archive), '--strip-components=1', '-C', placeOf(name)])
}

/** What it declares and nothing else, so that an import of something undeclared fails here as it would elsewhere. */
function linkDependencies(name: string): void {
  for (const wanted of Object.keys(manifestOf(name).dependencies)) {
    if ((Object.values(packages) as string[]).includes(wanted)) continue
    const link = join(placeOf(name), 'node_modules', wanted)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', wanted), link)
  }
}

beforeAll(async () => {
  await build()
  await Promise.all(Object.entries(packages).map(([directory, name]) => pack(directory, name)))
  for (const name of Object.values(packages)) linkDependencies(name)
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Files that are there for everybody: not under the conditions of this workspace. */
function filesOf(condition: Condition): string[] {
  if (typeof condition === 'string') return [condition]
  return Object.entries(condition).flatMap(([name, value]) => (name.startsWith('lockstep-') ? [] : filesOf(value)))
}

describe.each(Object.values(packages))('the package %s', (name) => {
  const shipped = () =>
    readdirSync(placeOf(name), { recursive: true, encoding: 'utf8' }).filter((path) => !path.startsWith('node_modules'))

  test('ships what its manifest names, and a README', () => {
    const { exports, bin = {} } = manifestOf(name)
    const named = [...Object.values(exports).flatMap(filesOf), ...Object.values(bin), 'README.md']
    expect(named.filter((path) => !existsSync(join(placeOf(name), path)))).toEqual([])
  })

  test('ships no source, no test, nothing armed and nothing of the build', () => {
    const own = /(?<!\.d)\.ts$|\.test\.|\.test-d\.|\.armed\.|tsbuildinfo|(?:^|\/)(?:src|test)\/|testing\/index\./
    expect(shipped().filter((path) => own.test(path))).toEqual([])
  })

  test('can be imported by each of its public names', async () => {
    const { exports } = manifestOf(name)
    const names = Object.keys(exports).filter((key) => filesOf(exports[key] ?? '').some((path) => /\.js$/.test(path)))
    const imports = names.map((key) => `count(await import('${name}${key.slice(1)}'))`)
    const count = "const count = (module) => { if (Object.keys(module).length === 0) throw new Error('empty') }"
    const file = program(`import-${name.replace('/', '-')}.mjs`, `${count}\n${imports.join('\n')}\nconsole.log('all')`)
    expect(names.length).toBeGreaterThan(0)
    expect(await node(file)).toBe('all\n')
  })
})

test('the library runs a saga', async () => {
  const file = program(
    'saga.mjs',
    `import { createCoordinator, participant, saga } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
const add = participant('shop.add', {
  input: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } },
  barrier: false,
  action: ({ left, right }) => ({ sum: left + right }),
})
const store = memoryStore({ clock: { now: () => Date.now() } })
const coordinator = createCoordinator({ store, participants: [add] })
await coordinator.start()
const outcome = await coordinator.run(saga('sum').step('add', add), { left: 2, right: 3 }, { id: 'one' })
console.log(JSON.stringify(outcome))
await coordinator.stop()`,
  )
  expect(JSON.parse(await node(file))).toMatchObject({ status: 'committed', output: { add: { sum: 5 } } })
})

test('the command says its version', async () => {
  const command = join(placeOf(packages.server), manifestOf(packages.server).bin?.['lockstep'] ?? '')
  expect(await node(command, '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('nothing can be armed: what the test condition would load is not there', async () => {
  const testing = program('testing.mjs', "await import('lockstep/testing')")
  await expect(node(testing)).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED')
  await expect(node('--conditions=lockstep-test', testing)).rejects.toThrow('ERR_MODULE_NOT_FOUND')
  const library = program('library.mjs', "await import('lockstep')")
  await expect(node('--conditions=lockstep-test', library)).rejects.toThrow('ERR_MODULE_NOT_FOUND')
})
