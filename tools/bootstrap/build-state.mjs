import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The packages that the build makes, in no order: `tsc -b` knows the order from their references.
 * @param {string} root
 * @returns {string[]}
 */
export function builtPackages(root) {
  const folder = join(root, 'packages')
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'tsconfig.json')) && existsSync(join(folder, name, 'src')))
    .map((name) => join(folder, name))
}

/**
 * Contents are compared, not times: a checkout or a copy touches every file and changes none.
 * @param {string} root
 * @returns {boolean}
 */
export function buildIsCurrent(root) {
  const stamp = stampFile(root)
  if (!existsSync(stamp)) return false
  if (!builtPackages(root).every(isWhole)) return false
  return readFileSync(stamp, 'utf8') === buildHash(root)
}

/**
 * Whether every source has its output: a file that somebody removed from dist is made again.
 * @param {string} folder
 * @returns {boolean}
 */
export function isWhole(folder) {
  if (!existsSync(join(folder, 'dist', '.tsbuildinfo'))) return false
  const src = join(folder, 'src')
  return sources(src).every((file) => existsSync(join(folder, 'dist', `${file.slice(src.length, -'.ts'.length)}.js`)))
}

/**
 * Takes the hash computed before the build, so that a file saved during the build counts as changed.
 * @param {string} root
 * @param {string} hash
 */
export function recordBuild(root, hash) {
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(stampFile(root), hash)
}

/**
 * @param {string} root
 * @returns {string}
 */
export function buildHash(root) {
  const hash = createHash('sha256')
  const files = ['tsconfig.base.json', 'package-lock.json'].map((name) => join(root, name))
  for (const folder of builtPackages(root)) {
    files.push(join(folder, 'package.json'), join(folder, 'tsconfig.json'), ...sources(join(folder, 'src')))
  }
  for (const file of files)
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test(-d)?\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

function stampFile(root) {
  return join(root, '.cache', 'build.stamp')
}
