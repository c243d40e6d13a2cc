/**
 * Key columns compare bytes: a database collation may call `Order-1` and `order-1` equal, or sort them together.
 *
 * The two due indexes hold unfinished rows only and each row is in at most one of them, so that a claim reads what is
 * due and nothing else, however many rows are stored. The listed indexes are in the order of lists, so that a page reads
 * what it shows; what is held or unfinished is rare, and a list by time alone would walk past everything else.
 */
export const postgresInitial = (prefix: string): readonly string[] => [
  `create table ${prefix}lockstep_meta (
  name text collate "C" primary key,
  value text not null
)`,
  `insert into ${prefix}lockstep_meta (name, value)
values ('store_id', left(replace(gen_random_uuid()::text, '-', ''), 8))`,
  `create table ${prefix}lockstep_transactions (
  id text collate "C" primary key,
  pattern text not null,
  content_hash text not null,
  definition text not null,
  needs text[] not null,
  labels text,
  created_at bigint not null,
  traceparent text,
  status text not null,
  state text not null,
  reason text,
  updated_at bigint not null,
  ended_at bigint,
  next_at bigint,
  owner text collate "C",
  held_reason text,
  held_since bigint,
  held_by text,
  held_detail text,
  deadline_at bigint,
  age_from bigint not null,
  epoch bigint not null,
  version bigint not null,
  expired boolean not null,
  owner_mark_instance text collate "C",
  owner_mark_number bigint,
  operator_mark_instance text collate "C",
  operator_mark_number bigint
)`,
  `create index lockstep_transactions_due_free on ${prefix}lockstep_transactions (next_at, id)
where owner is null and ended_at is null and held_reason is null and next_at is not null`,
  `create index lockstep_transactions_due_owned on ${prefix}lockstep_transactions (owner, next_at, id)
where owner is not null and ended_at is null and held_reason is null and next_at is not null`,
  `create index lockstep_transactions_held_owned on ${prefix}lockstep_transactions (owner, id)
where held_reason is not null and owner is not null`,
  `create index lockstep_transactions_listed on ${prefix}lockstep_transactions (created_at, id)`,
  `create index lockstep_transactions_listed_held on ${prefix}lockstep_transactions (created_at, id)
where held_reason is not null`,
  `create index lockstep_transactions_listed_status on ${prefix}lockstep_transactions (status, created_at, id)`,
  `create index lockstep_transactions_ended on ${prefix}lockstep_transactions (expired, ended_at)
where ended_at is not null`,
  `create table ${prefix}lockstep_labels (
  transaction_id text collate "C" not null,
  name text collate "C" not null,
  value text collate "C" not null,
  primary key (transaction_id, name)
)`,
  `create index lockstep_labels_by_value on ${prefix}lockstep_labels (name, value, transaction_id)`,
  `create table ${prefix}lockstep_attempts (
  transaction_id text collate "C" not null,
  branch text collate "C" not null,
  operation text collate "C" not null,
  number bigint not null,
  started_at bigint not null,
  duration_ms bigint not null,
  outcome text not null,
  error text,
  primary key (transaction_id, branch, operation, number)
)`,
  `create table ${prefix}lockstep_audit (
  number bigint generated always as identity primary key,
  transaction_id text collate "C" not null,
  at bigint not null,
  by text not null,
  action text not null,
  branch text,
  reason text not null,
  before text not null,
  after text not null
)`,
  `create index lockstep_audit_by_transaction on ${prefix}lockstep_audit (transaction_id, number)`,
  `create table ${prefix}lockstep_instances (
  owner text collate "C" primary key,
  lease_until bigint not null,
  services text[] not null
)`,
]
