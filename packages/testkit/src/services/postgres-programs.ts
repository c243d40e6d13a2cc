import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

export interface PostgresPrograms {
  readonly postgres: string
  readonly initdb: string
}

export interface ServiceUser {
  readonly uid: number
  readonly gid: number
}

/** Finds the server's programs: on the PATH, or where Debian keeps each major version, newest first. */
export function postgresPrograms(): PostgresPrograms | { readonly reason: string } {
  for (const directory of candidateDirectories()) {
    const postgres = join(directory, 'postgres')
    const initdb = join(directory, 'initdb')
    if (isExecutable(postgres) && isExecutable(initdb)) return { postgres, initdb }
  }
  return { reason: 'No PostgreSQL server is installed: neither on the PATH nor under /usr/lib/postgresql.' }
}

/** PostgreSQL refuses to run as root: root starts it as the user `postgres`, everybody else as themselves. */
export function serviceUser(): ServiceUser | null {
  if (process.getuid?.() !== 0) return null
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** `initdb` in `directory/data`, once. */
export function initialise(programs: PostgresPrograms, directory: string, user: ServiceUser | null): void {
  const data = join(directory, 'data')
  if (existsSync(join(data, 'PG_VERSION'))) return
  const flags = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions']
  const result = spawnSync(programs.initdb, ['-D', data, ...flags], {
    encoding: 'utf8',
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory },
    ...user,
  })
  if (result.status !== 0) throw new Error(`initdb failed:\n${result.stdout}${result.stderr}`)
}

function candidateDirectories(): string[] {
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => existsSync(join(directory, 'postgres')))
  const real = onPath.map((directory) => dirname(realpathSync(join(directory, 'postgres'))))
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((left, right) => Number(right) - Number(left)) : []
  return [...real, ...versions.map((version) => join(debian, version, 'bin'))]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function idOf(flag: '-u' | '-g'): number {
  const result = spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error('PostgreSQL does not run as root, and there is no user named postgres.')
  return Number(result.stdout)
}
