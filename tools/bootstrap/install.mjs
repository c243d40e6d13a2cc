import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'

/**
 * True when node_modules is what package-lock.json asks for. npm writes node_modules/.package-lock.json as the very
 * last thing of an install, so an install that was killed has none, or one that names packages which are not there.
 */
export function isInstalled(root) {
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  if (!wanted || !present) return false
  const current = Object.entries(wanted).every(([path, entry]) => path === '' || isCurrent(root, path, entry, present))
  // The binary comes from an install script, and `--ignore-scripts` leaves it out without a word.
  return current && existsSync(join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node'))
}

/**
 * `started` is told the id of npm's process.
 * Removes npm's record first: if this run is killed half way, the next one finds no record and installs again.
 */
export async function install(root, started) {
  process.stdout.write('lockstep: installing dependencies (npm ci), a minute with an empty cache … ')
  const startedMs = Date.now()
  rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true })
  // Options of the caller's environment that would leave out what is needed (NODE_ENV=production) are overruled.
  const flags = ['--include=dev', '--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output } = await npm(root, ['ci', ...flags], started)
  if (code !== 0 || !isInstalled(root)) {
    process.stdout.write('failed\n')
    throw new Error(
      `npm ci failed${code === 0 ? ': node_modules is not complete' : ` (exit code ${code})`}.\n${output}`,
    )
  }
  process.stdout.write(`done in ${Math.round((Date.now() - startedMs) / 1000)} s\n`)
}

/** PATH without the workspace's own .bin folders: npm must not run on the Node that it is about to replace. */
export function pathWithoutWorkspace(root) {
  const own = join(root, 'node_modules') + sep
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(own))
    .join(delimiter)
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

function isCurrent(root, path, wanted, present) {
  const found = present[path]
  // Binaries of other platforms are in the lockfile, but never installed.
  if (!found) return wanted.optional === true
  if (found.version !== wanted.version || found.integrity !== wanted.integrity) return false
  return existsSync(join(root, path, 'package.json'))
}

/** The output is kept back and shown on failure only: under Node 20 npm warns of engines that no script here runs on. */
function npm(root, args, started) {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
      env: { ...process.env, PATH: pathWithoutWorkspace(root) },
    })
    if (child.pid) started(child.pid)
    let output = ''
    const keep = (chunk) => {
      output = (output + chunk).slice(-8_000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => reject(new Error(`Cannot run npm: ${error.message}`)))
    child.on('close', (code) => resolve({ code: code ?? 1, output: withoutNoise(output) }))
  })
}

function withoutNoise(output) {
  const lines = output.split('\n').filter((line) => !/EBADENGINE/.test(line))
  return lines.join('\n').trim()
}
