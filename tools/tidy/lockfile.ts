import { type Finding, findAll, type Rule } from './source.ts'

interface Lockfile {
  readonly packages?: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>
}

const resolvedAddress = /"resolved": "https?:/g

/**
 * The lockfile names packages and hashes, not the address they came from, and the binaries of every platform: npm drops
 * those that the registry at hand does not have, and then `npm ci` refuses the lockfile everywhere.
 */
export const lockfile: Rule = (source) => {
  if (source.path !== 'package-lock.json') return []
  const addresses = findAll(source, source.text, resolvedAddress, () => 'the lockfile holds an address')
  return [...addresses, ...missingPlatforms(source.path, (JSON.parse(source.text) as Lockfile).packages ?? {})]
}

function missingPlatforms(path: string, packages: NonNullable<Lockfile['packages']>): Finding[] {
  return Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !packages[`node_modules/${name}`] && !packages[`${place}/node_modules/${name}`])
      .map((name) => ({ path, line: 1, message: `${name} of ${place} is missing: npm ci would fail` })),
  )
}
