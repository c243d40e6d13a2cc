/** Milliseconds since 1970 of a time as the wire has it: ISO 8601 in UTC with milliseconds. The simulator has no `Date`. */
export function timeOf(iso: string): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = iso.match(/\d+/g)?.map(Number) ?? []
  const days = daysOf(year, month) + day - 1
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + ms
}

const daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

/** Days from 1970 to the first of the month; right until 2099. */
function daysOf(year: number, month: number): number {
  const leapDays = Math.floor((year - 1_969) / 4) + (year % 4 === 0 && month > 2 ? 1 : 0)
  return (year - 1_970) * 365 + leapDays + (daysBefore[month - 1] ?? 0)
}
