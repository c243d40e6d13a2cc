/**
 * SQLite compares text as bytes already. There is no table of instances: one process owns the file.
 *
 * The two due indexes hold unfinished rows only and each row is in at most one of them, so that a claim reads what is
 * due and nothing else, however many rows are stored. The listed indexes are in the order of lists, so that a page reads
 * what it shows; what is held or unfinished is rare, and a list by time alone would walk past everything else.
 */
export const sqliteInitial = (): readonly string[] => [
  `create table lockstep_meta (
  name text not null primary key,
  value text not null
) strict`,
  `insert into lockstep_meta (name, value) values ('store_id', lower(hex(randomblob(4))))`,
  `create table lockstep_transactions (
  id text not null primary key,
  pattern text not null,
  content_hash text not null,
  definition text not null,
  needs text not null,
  labels text,
  created_at integer not null,
  traceparent text,
  status text not null,
  state text not null,
  reason text,
  updated_at integer not null,
  ended_at integer,
  next_at integer,
  owner text,
  held_reason text,
  held_since integer,
  held_by text,
  held_detail text,
  deadline_at integer,
  age_from integer not null,
  epoch integer not null,
  version integer not null,
  expired integer not null,
  owner_mark_instance text,
  owner_mark_number integer,
  operator_mark_instance text,
  operator_mark_number integer
) strict`,
  `create index lockstep_transactions_due_free on lockstep_transactions (next_at, id)
where owner is null and ended_at is null and held_reason is null and next_at is not null`,
  `create index lockstep_transactions_due_owned on lockstep_transactions (owner, next_at, id)
where owner is not null and ended_at is null and held_reason is null and next_at is not null`,
  `create index lockstep_transactions_held_owned on lockstep_transactions (owner, id)
where held_reason is not null and owner is not null`,
  `create index lockstep_transactions_listed on lockstep_transactions (created_at, id)`,
  `create index lockstep_transactions_listed_held on lockstep_transactions (created_at, id)
where held_reason is not null`,
  `create index lockstep_transactions_listed_status on lockstep_transactions (status, created_at, id)`,
  `create index lockstep_transactions_ended on lockstep_transactions (expired, ended_at)
where ended_at is not null`,
  `create table lockstep_labels (
  transaction_id text not null,
  name text not null,
  value text not null,
  primary key (transaction_id, name)
) strict, without rowid`,
  `create index lockstep_labels_by_value on lockstep_labels (name, value, transaction_id)`,
  `create table lockstep_attempts (
  transaction_id text not null,
  branch text not null,
  operation text not null,
  number integer not null,
  started_at integer not null,
  duration_ms integer not null,
  outcome text not null,
  error text,
  primary key (transaction_id, branch, operation, number)
) strict`,
  `create table lockstep_audit (
  number integer primary key autoincrement,
  transaction_id text not null,
  at integer not null,
  by text not null,
  action text not null,
  branch text,
  reason text not null,
  before text not null,
  after text not null
) strict`,
  `create index lockstep_audit_by_transaction on lockstep_audit (transaction_id, number)`,
]
