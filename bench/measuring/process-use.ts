/** What a process has used, by the kernel's own account (Linux). */
import { readFileSync } from 'node:fs'

/** The kernel counts in hundredths of a second, whatever its own clock is (`getconf CLK_TCK`). */
const tickMs = 10

/** User and system time of these processes together; one that is gone counts nothing. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0)
}

export function residentMib(pid: number): number {
  const status = readOrEmpty(`/proc/${pid}/status`)
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024)
}

/** The parent, so that a server's backend leads to the server. */
export function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1] ?? 0)
}

function cpuMsOf(pid: number): number {
  const fields = fieldsOf(pid)
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs
}

/** The fields behind the name, which itself may hold spaces and brackets: state, parent, … */
function fieldsOf(pid: number): string[] {
  const stat = readOrEmpty(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
