/** The crash tables of the documents, the fail points of the code and the plan of `npm run crash` name the same things. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { patterns, type TransferPattern } from '../examples/bank/transfer.ts'
import { planStrikes, pointsOf, type Strike, smoke } from './plan.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const documents: Record<TransferPattern, string> = {
  saga: 'docs/guarantees.md',
  tcc: 'docs/patterns/tcc.md',
  message: 'docs/patterns/message.md',
}

/** The names in the last column of the crash table; `.after-durable` there is short for the name before it with another end. */
function namedIn(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8')
  const start = text.search(/^\| crash \|.*\| fail point \|$/m)
  const rows = text.slice(start).split('\n\n', 1)[0]?.split('\n').slice(2) ?? []
  return rows.flatMap((row) => {
    let previous = ''
    const cells = row.split('|')
    // SIGSTOP stands there as well.
    return [...(cells.at(-2) ?? '').matchAll(/`(\.?[a-z-]+(?:\.[a-z-]+)*)`/g)].flatMap(([, name = '']) => {
      previous = name.startsWith('.') ? previous.replace(/\.[^.]+$/, name) : name
      return [previous]
    })
  })
}

const inCode = new Set(
  globSync('packages/*/src/**/*.ts', { cwd: root })
    .filter((path) => !path.endsWith('.test.ts'))
    .flatMap((path) => [...readFileSync(join(root, path), 'utf8').matchAll(/\bfailpoint\('([\w.-]+)'\)/g)])
    .map(([, name = '']) => name),
)

function armed(by: readonly TransferPattern[], seed: number, killsPostgres: boolean): Set<string> {
  const coordinators = killsPostgres ? 2 : 1
  const plan = planStrikes({ seed, strikes: 100, patterns: by, coordinators, banks: 2, killsPostgres })
  return pointsIn(plan)
}

function pointsIn(plan: readonly Strike[]): Set<string> {
  return new Set(plan.flatMap((strike) => (strike.kind === 'point' ? [strike.point] : [])))
}

describe.each(patterns)('%s', (pattern) => {
  const named = namedIn(documents[pattern])

  it('has a crash table that names fail points', () => {
    expect(named.length).toBeGreaterThan(6)
  })

  it('names no fail point that the code does not have', () => {
    expect(named.filter((name) => !inCode.has(name))).toEqual([])
  })

  it.each([false, true])('has every one of them armed within 100 strikes (with PostgreSQL: %s)', (killsPostgres) => {
    for (const seed of [1, 2, 3]) {
      const points = armed([pattern], seed, killsPostgres)
      expect(named.filter((name) => !points.has(name))).toEqual([])
      expect(pointsOf([pattern]).filter(({ point }) => !points.has(point))).toEqual([])
    }
  })
})

it('every fail point of the code is in the plan, and in a crash table', () => {
  const planned = new Set(pointsOf(patterns).map(({ point }) => point))
  expect([...inCode].filter((name) => !planned.has(name))).toEqual([])
  const documented = new Set(Object.values(documents).flatMap(namedIn))
  expect([...planned].filter((name) => !documented.has(name))).toEqual([])
})

it('a plan of one seed is always the same', () => {
  const settings = { seed: 7, strikes: 60, patterns, coordinators: 2, banks: 2, killsPostgres: true }
  expect(planStrikes(settings)).toEqual(planStrikes(settings))
})

it('the short runs on both stores together arm every point', () => {
  const settings = { seed: 1, strikes: smoke.strikes, patterns, banks: 2 }
  const onSqlite = planStrikes({ ...settings, coordinators: 1, killsPostgres: false })
  const pointsHad = smoke.pointsOnSqlite
  const onPostgres = planStrikes({ ...settings, coordinators: 2, killsPostgres: true, pointsHad })
  const armedByBoth = new Set([...pointsIn(onSqlite), ...pointsIn(onPostgres)])
  expect(pointsOf(patterns).filter(({ point }) => !armedByBoth.has(point))).toEqual([])
})
