import { vi } from 'vitest'
import { runCommand } from '../src/command/run-command.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One command line in this process: as `runCommand` of child-process.ts, without the cost of a process. */
export async function commandHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const written = { stdout: '', stderr: '' }
  const keep = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text)
      return true
    })
  const spies = [keep('stdout'), keep('stderr')]
  for (const name of Object.keys(process.env)) if (name.startsWith('LOCKSTEP_')) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  try {
    const code = await runCommand(args)
    return { code, ...written }
  } finally {
    for (const spy of spies) spy.mockRestore()
    vi.unstubAllEnvs()
  }
}
