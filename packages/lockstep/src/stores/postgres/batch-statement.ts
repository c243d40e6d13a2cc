import { decidedColumns } from '../sql-row.ts'
import { columnNames, unnested } from './batch-columns.ts'

/**
 * Input: the writer's mark and a batch as arrays, sorted by id. Output: id and decided columns of every entry that was
 * applied; what is missing failed its compare and is read afterwards.
 * Invariant: a row that carries the batch's mark is not written again, an older batch of an instance never writes over
 *   a newer one, and attempts, labels and audit rows are written exactly where their entry was applied.
 * Concurrency: READ COMMITTED. An update waits for an open writer of the row and compares again with what that one
 *   left; an insert waits for an open inserter of the id.
 */
export function batchStatement(prefix: string): string {
  return `with inserted as (
  insert into ${prefix}lockstep_transactions (${columnNames('inserts').join(', ')},
    epoch, version, expired, owner_mark_instance, owner_mark_number)
  select ${columnNames('inserts').map(insertValue).join(', ')}, 1, 1, false, $1::text, $2::bigint
  from ${unnested('inserts')}
  on conflict (id) do nothing
  returning id, ${decidedColumns}
), updated as (
  update ${prefix}lockstep_transactions t set ${assignments}
  from ${unnested('updates')}
  where t.id = updates.id and not t.expired
    and (updates.epoch is null or t.epoch = updates.epoch)
    and (updates.version is null or t.version = updates.version)
    and case when updates.kind = 'mark'
      then t.operator_mark_instance is distinct from $1 or t.operator_mark_number <> $2
      else t.owner_mark_instance is distinct from $1 or t.owner_mark_number < $2 end
  returning t.id, ${decidedColumns.replaceAll(/\w+/g, 't.$&')}
), applied as (
  select * from inserted union all select * from updated
), ${['labels', 'attempts', 'audits'].map((part) => details(prefix, part as 'labels')).join(', ')}
select * from applied`
}

const insertValue = (name: string): string => (name === 'needs' ? 'needs::text[]' : name)

/**
 * The row's own value where the work has not grown: a large definition stays where it is, for PostgreSQL writes no text again
 * that it stored apart and finds unchanged. No index holds these columns, so even growth leaves the indexes alone.
 */
const workAssignments = [
  'definition = coalesce(updates.definition, t.definition)',
  'needs = coalesce(updates.needs::text[], t.needs)',
]

const isMark = "updates.kind = 'mark'"
const progressColumns = ['status', 'state', 'reason', 'updated_at', 'ended_at', 'owner']
const heldColumns = ['held_reason', 'held_since', 'held_by', 'held_detail']
const clockColumns = ['deadline_at', 'age_from']

const assignments = [
  ...workAssignments,
  ...progressColumns.map((name) => `${name} = case when ${isMark} then t.${name} else updates.${name} end`),
  // An owner's write holds only what nothing holds yet; an operator's replaces what is there.
  ...heldColumns.map(
    (name) =>
      `${name} = case when updates.sets_operator or (updates.kind = 'advance' and t.held_reason is null) then updates.${name} else t.${name} end`,
  ),
  ...clockColumns.map((name) => `${name} = case when updates.sets_operator then updates.${name} else t.${name} end`),
  `next_at = case when ${isMark} and t.owner is not null then t.next_at else updates.next_at end`,
  "epoch = t.epoch + case when updates.kind = 'take' then 1 else 0 end",
  'version = t.version + 1',
  ...['instance', 'number'].flatMap((name, index) => [
    `owner_mark_${name} = case when ${isMark} then t.owner_mark_${name} else $${index + 1} end`,
    `operator_mark_${name} = case when ${isMark} then $${index + 1} else t.operator_mark_${name} end`,
  ]),
].join(',\n    ')

function details(prefix: string, part: 'labels' | 'attempts' | 'audits'): string {
  const table = { labels: 'lockstep_labels', attempts: 'lockstep_attempts', audits: 'lockstep_audit' }[part]
  const columns = columnNames(part).join(', ')
  const conflict = part === 'attempts' ? ' on conflict do nothing' : ''
  return `written_${part} as (
  insert into ${prefix}${table} (${columns}) select ${columns} from ${unnested(part)}
  where ${part}.transaction_id in (select id from applied)${conflict}
)`
}
