import { posix } from 'node:path'
import { allowedAreas, type Place, placeOf, pureAreas } from './areas.ts'
import { type Import, isTest, type Rule } from './source.ts'

const pureExternals = new Set(['@standard-schema/spec', '#failpoint', '#mutant'])
/** What every store or adapter may share with the others. */
const sharedUnits = new Set(['', 'migrations'])
const concreteSubpath = /^lockstep\/(?:memory|sqlite|postgres|mysql|mariadb|redis|kysely|knex|drizzle|prisma)$/
const productPackages = /^packages\/(?!testkit\/)/

/** Imports only point inwards, to the contracts that every part stands on. */
export const boundaries: Rule = (source) => {
  const from = placeOf(source.path)
  if (!from || isTest(source.path)) return []
  return source.imports.flatMap((imported) => {
    const message = violation(source.path, from, imported)
    return message ? [{ path: source.path, line: imported.line, message }] : []
  })
}

function violation(path: string, from: Place, { specifier }: Import): string | undefined {
  if (specifier.startsWith('.')) return relativeViolation(path, from, specifier)
  if (specifier.startsWith('@lockstep/testkit') && productPackages.test(path)) return 'product code imports testkit'
  if (from.package === 'console' && /^(?:lockstep|@lockstep\/)/.test(specifier) && specifier !== 'lockstep/protocol') {
    return `the console sees lockstep/protocol only, not ${specifier}`
  }
  if (from.package === 'testkit') return undefined
  if (concreteSubpath.test(specifier) && !isComposition(path)) return `${specifier} is named outside compose.ts`
  if (from.package === 'lockstep' && pureAreas.includes(from.area) && !pureExternals.has(specifier)) {
    return `${from.area} imports ${specifier}: it may import ports, protocol and errors`
  }
  return undefined
}

function relativeViolation(path: string, from: Place, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier)
  const to = placeOf(target)
  if (!to || to.package !== from.package) return `${specifier} leaves the package: import it by its name`
  if (from.package !== 'lockstep') return undefined
  if (from.area === to.area) return unitViolation(from, to)
  const allowed = allowedAreas[from.area]
  if (allowed) return allowed.includes(to.area) ? undefined : `${from.area} imports ${to.area}`
  const concrete = to.area === 'stores' || to.area === 'adapters'
  return concrete && !isComposition(path) ? `${to.area} is named outside compose.ts` : undefined
}

function unitViolation(from: Place, to: Place): string | undefined {
  if (from.unit === to.unit || sharedUnits.has(to.unit)) return undefined
  return `${from.area}/${from.unit} imports ${to.area}/${to.unit}`
}

function isComposition(path: string): boolean {
  return posix.basename(path) === 'compose.ts'
}
