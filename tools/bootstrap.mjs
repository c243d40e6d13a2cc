/**
 * The way into every npm script. It runs on any Node from 20 on and without a single dependency, because it is what
 * makes the dependencies and the pinned Node exist:
 *
 *   1. `npm ci` when node_modules is not what package-lock.json says,
 *   2. the build, for the commands that need it, when a source changed since the last one (`test` has it as a step),
 *   3. the real script, under the Node 24 that the lockfile pins.
 *
 * Usage: node tools/bootstrap.mjs <command> [arguments of the command]
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildIsCurrent } from './bootstrap/build-state.mjs'
import { install, isInstalled, pathWithoutWorkspace } from './bootstrap/install.mjs'
import { withLock } from './bootstrap/lock.mjs'

const root = join(import.meta.dirname ?? fail('Node 20.11 or newer is needed to start.'), '..')
const pinnedNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
const quiet = '--disable-warning=ExperimentalWarning'
const fromSource = ['--conditions=lockstep-source', '--conditions=lockstep-test']

/** `start` and `bench` name no condition: they show the built packages, as a user gets them. */
const commands = {
  build: { file: 'tools/build.ts' },
  start: { file: 'examples/demo/main.ts', built: true },
  test: { file: 'tools/test.ts' },
  check: { file: 'tools/check.ts' },
  sim: { file: 'sim/main.ts', conditions: fromSource },
  mutants: { file: 'sim/mutants.ts', conditions: fromSource },
  explore: { file: 'explore/main.ts', conditions: fromSource },
  crash: { file: 'crash/main.ts', conditions: fromSource, built: true },
  bench: { file: 'bench/main.ts', built: true },
  'peers:zookeeper': { file: 'bench/peers/same-tree.ts', built: true },
  'services:install': { file: 'tools/services-install.ts' },
}

const [name, ...args] = process.argv.slice(2)
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
if (!command) fail(`Unknown command "${name ?? ''}". Known: ${Object.keys(commands).join(', ')}.`)

if (!isInstalled(root) || (command.built && !buildIsCurrent(root))) {
  await withLock(root, async (hold) => {
    if (!isInstalled(root)) await install(root, hold).catch((error) => fail(error.message))
    if (command.built && !buildIsCurrent(root)) {
      const code = await run([quiet, join(root, 'tools/build.ts')])
      if (code !== 0) process.exit(code)
    }
  })
}
if (!existsSync(join(root, command.file))) fail(`${command.file} does not exist.`)
process.exitCode = await run([...(command.conditions ?? []), quiet, join(root, command.file), ...args])

/** Runs the pinned Node in the foreground. The child decides when a signal ends it, and its exit code is ours. */
function run(nodeArgs) {
  return new Promise((resolve) => {
    const child = spawn(pinnedNode, nodeArgs, { cwd: root, stdio: 'inherit', env: environment() })
    // A terminal sends Ctrl-C to the whole group, so the child has it already, and to many a program a second one means
    // "at once". This process only must not die first: that would orphan the child.
    const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !atTerminal) child.kill(signal)
    }
    process.on('SIGINT', forward).on('SIGTERM', forward).on('SIGHUP', forward)
    // npm runs scripts through a shell, and a signal to npm ends that shell only: who lost its parent is to end too.
    const parent = process.ppid
    const watch = setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500)
    child.on('error', (error) => fail(`Cannot start ${pinnedNode}: ${error.message}`))
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      process.off('SIGINT', forward).off('SIGTERM', forward).off('SIGHUP', forward)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1))
    })
  })
}

/** Whatever the script starts by the name `node` must be the pinned one as well. */
function environment() {
  const bin = join(root, 'node_modules', '.bin')
  const separator = process.platform === 'win32' ? ';' : ':'
  return { ...process.env, PATH: [bin, pathWithoutWorkspace(root)].join(separator) }
}

function fail(message) {
  console.error(`lockstep: ${message}`)
  process.exit(1)
}
