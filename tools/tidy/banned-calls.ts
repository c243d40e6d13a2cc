import { placeOf, pureAreas } from './areas.ts'
import { type Finding, findAll, isTest, type Rule, type Source } from './source.ts'

/** Whatever may differ between two runs of the same code is a port, or a seed would not replay. */
const banned: readonly { readonly name: string; readonly pattern: RegExp; readonly instead: string }[] = [
  // As a type, and to recognise one, Date reads no clock.
  { name: 'Date', pattern: global(String.raw`Date\s*[.(]`), instead: 'the Clock port' },
  { name: 'Date', pattern: /\bnew\s+(?:globalThis\.)?Date\b(?!\s*\()/g, instead: 'the Clock port' },
  { name: 'performance', pattern: global(String.raw`performance\s*\.`), instead: 'Clock.monotonicMs' },
  { name: 'setTimeout', pattern: global(String.raw`set(?:Timeout|Interval)\b`), instead: 'the Timers port' },
  { name: 'setImmediate', pattern: global(String.raw`setImmediate\b`), instead: 'the Timers port' },
  { name: 'queueMicrotask', pattern: global(String.raw`queueMicrotask\b`), instead: 'await' },
  { name: 'process', pattern: global(String.raw`process\s*\.`), instead: 'an option of the caller' },
  { name: 'random', pattern: global(String.raw`Math\s*\.\s*random\b`), instead: 'the Random port' },
  {
    name: 'random',
    pattern: /\b(?:crypto\s*\.\s*random\w*|randomUUID|randomBytes|getRandomValues)\b/g,
    instead: 'the Random port',
  },
  { name: 'fetch', pattern: global(String.raw`fetch\s*\(`), instead: 'the Transport port' },
  {
    name: 'AbortSignal.timeout',
    pattern: global(String.raw`AbortSignal\s*\.\s*timeout\b`),
    instead: 'the Timers port',
  },
]
const bannedImport = /^(?:node:.*|https?|net|fs|fs\/promises|dns|timers(?:\/promises)?|worker_threads)$/

/** The few places that own what the ban keeps from everybody else. */
export interface Exception {
  readonly path: RegExp
  readonly allows: readonly string[]
  readonly reason: string
}

export const exceptions: readonly Exception[] = [
  {
    path: /^packages\/testkit\/src\/simulator\/scheduler\.ts$/,
    allows: ['setImmediate', 'node:timers'],
    reason: 'one turn of the event loop after each event lets promise chains settle; nothing else may own macrotasks',
  },
  {
    path: /^packages\/testkit\/src\/simulator\/sha-256\.ts$/,
    allows: ['node:crypto'],
    reason: 'a hash is a function of its text alone; the synchronous one takes no turn of any thread pool',
  },
  {
    path: /^sim\/(?:main|mutants)\.ts$/,
    allows: ['process', 'Date', 'every import'],
    reason: 'the command line around the simulator: arguments, the exit code, the time budget and the file of seeds',
  },
  {
    path: /^explore\/main\.ts$/,
    allows: ['process', 'Date', 'every import'],
    reason: 'the command line around the explorer: arguments, the exit code, the time budget',
  },
]

export const bannedCalls: Rule = (source) => {
  if (!isConcerned(source.path)) return []
  const allowed = new Set(exceptions.filter((each) => each.path.test(source.path)).flatMap((each) => each.allows))
  const calls = banned
    .filter((each) => !allowed.has(each.name))
    .flatMap((each) => findAll(source, source.code, each.pattern, (found) => `${found.trim()}: use ${each.instead}`))
  return allowed.has('every import') ? calls : [...calls, ...imports(source, allowed)]
}

function imports(source: Source, allowed: ReadonlySet<string>): Finding[] {
  return source.imports
    .filter(({ specifier }) => bannedImport.test(specifier) && !allowed.has(specifier))
    .map(({ specifier, line }) => ({ path: source.path, line, message: `imports ${specifier}: only through a port` }))
}

function isConcerned(path: string): boolean {
  if (isTest(path)) return false
  if (/^(?:sim|explore)\/.*\.ts$/.test(path) || path.startsWith('packages/testkit/src/simulator/')) return true
  const place = placeOf(path)
  return place?.package === 'lockstep' && pureAreas.includes(place.area)
}

/** A global by its bare name or through globalThis, and not a member of that name on something else. */
function global(name: string): RegExp {
  return new RegExp(String.raw`(?<![\w$.])(?:globalThis\s*\.\s*)?${name}`, 'g')
}
