/** Where a file stands on the map of packages/lockstep/src. A file at the top of `src` is an area of its own. */
export interface Place {
  readonly package: string
  /** `coordinator`, `stores`, `errors.ts`, … */
  readonly area: string
  /** Below `stores` and `adapters`: which one of them. Empty for a file that all of them share. */
  readonly unit: string
}

/** Each is pure and knows nothing of the others: what one needs of another is a port. */
export const domainAreas: readonly string[] = [
  'transactions',
  'coordinator',
  'participant',
  'outbox',
  'inbox',
  'locks',
  'fencing',
  'cache',
  'stock',
  'notification',
]

const contracts = ['ports', 'protocol', 'errors.ts']

/** What an area may import besides itself. An area that is not listed may import anything in its package. */
export const allowedAreas: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(domainAreas.map((area) => [area, contracts])),
  ports: contracts,
  protocol: contracts,
  'errors.ts': contracts,
  adapters: ['ports', 'errors.ts'],
  stores: ['ports', 'errors.ts'],
  transports: contracts,
  client: contracts,
  alerts: [...contracts, 'transports', 'client'],
}

/** The areas that must run in a simulator, so they may take nothing from outside but a type. */
export const pureAreas: readonly string[] = [...domainAreas, 'ports', 'protocol', 'errors.ts']

export function placeOf(path: string): Place | undefined {
  const match = path.match(/^packages\/([^/]+)\/src\/(.+)$/)
  if (!match?.[1] || !match[2]) return undefined
  const folders = match[2].split('/')
  const area = folders[0] ?? ''
  const unit = (area === 'stores' || area === 'adapters') && folders.length > 2 ? (folders[1] ?? '') : ''
  return { package: match[1], area, unit }
}
