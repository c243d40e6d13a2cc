import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { runProgram } from '../run-program.ts'
import { type ServicePackage, type ServiceSettings, servicePackages } from './packages.ts'

export type InstallResult =
  | { readonly status: 'present' }
  | { readonly status: 'installed' }
  | { readonly status: 'not-installed'; readonly packages: readonly string[]; readonly reason: string }

const policyFile = '/usr/sbin/policy-rc.d'
const installLimitMs = 5 * 60_000

/** Installs what is missing of the suites' packages with apt-get. No system service is started or stopped by it. */
export async function installServicePackages(): Promise<InstallResult> {
  const missing = servicePackages.filter((entry) => !existsSync(entry.provides))
  if (missing.length === 0) return { status: 'present' }
  const packages = missing.map((entry) => entry.name)
  const obstacle = whyNotPossible()
  if (obstacle) return { status: 'not-installed', packages, reason: obstacle }
  process.stdout.write(`lockstep: installing Debian packages for the tests: ${packages.join(', ')} … `)
  const startedMs = Date.now()
  const error = await withoutStartingServices(missing, () => aptInstall(packages))
  const absent = missing.filter((entry) => !existsSync(entry.provides))
  if (error !== undefined || absent.length > 0) {
    console.log('failed')
    return { status: 'not-installed', packages, reason: error ?? `apt-get did not bring ${absent[0]?.provides}` }
  }
  console.log(`done in ${Math.round((Date.now() - startedMs) / 1000)} s`)
  return { status: 'installed' }
}

function whyNotPossible(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return 'this machine has no apt-get'
  if (process.getuid?.() !== 0) return 'only root can install them'
  return undefined
}

/** Debian's maintainer scripts ask policy-rc.d before they start a service; 101 means "no". An existing file is kept. */
async function withoutStartingServices<T>(packages: readonly ServicePackage[], work: () => Promise<T>): Promise<T> {
  for (const { settings } of packages) if (settings) addSetting(settings)
  const own = !existsSync(policyFile)
  if (own) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return await work()
  } finally {
    if (own) rmSync(policyFile, { force: true })
  }
}

function addSetting({ file, line }: ServiceSettings): void {
  const present = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (present !== '') return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${line}\n`)
}

/** Returns what went wrong, if anything. The package lists may be years old or absent on a fresh machine. */
async function aptInstall(packages: readonly string[]): Promise<string | undefined> {
  const steps = [['update'], ['install', '-y', '--no-install-recommends', ...packages]]
  for (const args of steps) {
    const command = { file: '/usr/bin/apt-get', args: ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args] }
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const result = await runProgram(command, { output: 'keep', limitMs: installLimitMs, env })
    if (result.code !== 0) return `apt-get ${args[0]} failed\n${result.output.slice(-3_000)}`
  }
  return undefined
}
