/**
 * Per 1,000 stored rows: 900 ended, 40 that wait, 60 of a live owner. Beside them always 100 that are due, half of them a dead
 * owner's: an index that holds too much would read through all the rest first.
 */
export const dueRows = 100
export const forEver = 9_000_000_000_000_000

const columns = `id, pattern, content_hash, definition, needs, created_at, status, state, updated_at, age_from, epoch, version,
  expired, ended_at, next_at, owner`

export interface Fill {
  readonly from: number
  readonly to: number
}

export function postgresFill({ from, to }: Fill): string {
  return fill({
    from,
    to,
    needs: `'{bank}'`,
    no: 'false',
    series: (first, last) => `generate_series(${first}, ${last}) series(n)`,
  })
}

export function sqliteFill({ from, to }: Fill): string {
  const series = (first: number, last: number) =>
    `(with recursive series(n) as (select ${first} union all select n + 1 from series where n < ${last}) select n from series)`
  return fill({ from, to, needs: `'["bank"]'`, no: '0', series })
}

interface Dialect extends Fill {
  readonly needs: string
  readonly no: string
  readonly series: (first: number, last: number) => string
}

function fill({ from, to, needs, no, series }: Dialect): string {
  const stored = `insert into lockstep_transactions (${columns}) select 't' || n, 'saga', '', '', ${needs}, n,
  case when n % 1000 < 900 then 'committed' else 'committing' end, '', 0, 0, 1, 1, ${no},
  case when n % 1000 < 900 then n end,
  case when n % 1000 between 900 and 939 then ${forEver} when n % 1000 >= 940 then n end,
  case when n % 1000 >= 940 then 'live' end from ${series(from, to)}`
  const due = `insert into lockstep_transactions (${columns}) select 'd' || n, 'saga', '', '', ${needs}, n, 'committing', '', 0, 0,
  1, 1, ${no}, null, 1000000 + n, case when n % 2 = 0 then 'dead' end from ${series(1, dueRows)}`
  return `delete from lockstep_transactions where id like 'd%'; ${stored}; ${due}`
}
