type Column = readonly [name: string, type: 'text' | 'bigint' | 'boolean']

const work: readonly Column[] = [
  ['definition', 'text'],
  ['needs', 'text'],
]

const progress: readonly Column[] = [
  ['status', 'text'],
  ['state', 'text'],
  ['reason', 'text'],
  ['updated_at', 'bigint'],
  ['ended_at', 'bigint'],
  ['next_at', 'bigint'],
  ['owner', 'text'],
]

const operator: readonly Column[] = [
  ['held_reason', 'text'],
  ['held_since', 'bigint'],
  ['held_by', 'text'],
  ['held_detail', 'text'],
  ['deadline_at', 'bigint'],
  ['age_from', 'bigint'],
]

/** The arrays of a batch, in the order in which `batch-values.ts` fills them and the statement binds them. */
export const batchColumns = {
  inserts: [
    ['id', 'text'],
    ['pattern', 'text'],
    ['content_hash', 'text'],
    ...work,
    ['labels', 'text'],
    ['created_at', 'bigint'],
    ['traceparent', 'text'],
    ...progress,
    ...operator,
  ],
  updates: [
    ['kind', 'text'],
    ['id', 'text'],
    ['epoch', 'bigint'],
    ['version', 'bigint'],
    ['sets_operator', 'boolean'],
    ...work,
    ...progress,
    ...operator,
  ],
  labels: [
    ['transaction_id', 'text'],
    ['name', 'text'],
    ['value', 'text'],
  ],
  attempts: [
    ['transaction_id', 'text'],
    ['branch', 'text'],
    ['operation', 'text'],
    ['number', 'bigint'],
    ['started_at', 'bigint'],
    ['duration_ms', 'bigint'],
    ['outcome', 'text'],
    ['error', 'text'],
  ],
  audits: [
    ['transaction_id', 'text'],
    ['at', 'bigint'],
    ['by', 'text'],
    ['action', 'text'],
    ['branch', 'text'],
    ['reason', 'text'],
    ['before', 'text'],
    ['after', 'text'],
  ],
} as const satisfies Record<string, readonly Column[]>

export type BatchPart = keyof typeof batchColumns
export const batchParts = Object.keys(batchColumns) as BatchPart[]

export const columnNames = (part: BatchPart): readonly string[] => batchColumns[part].map(([name]) => name)

/** `unnest($3::text[], …) as inserts(id, …)`; parameters 1 and 2 are the writer's mark. */
export function unnested(part: BatchPart): string {
  const before = batchParts
    .slice(0, batchParts.indexOf(part))
    .reduce((count, name) => count + batchColumns[name].length, 2)
  const arrays = batchColumns[part].map(([, type], index) => `$${before + index + 1}::${type}[]`)
  return `unnest(${arrays.join(', ')}) as ${part}(${columnNames(part).join(', ')})`
}
