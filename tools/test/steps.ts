import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, nodeCommand, root, vitestCommand } from '../programs.ts'

/**
 * What `npm test` does, in this order. A step is added here: a name, the file it runs (a step whose file does not exist
 * is reported as missing), its command, and the time after which it has failed.
 */
export interface Step {
  readonly name: string
  readonly file: string
  readonly command: Command
  readonly limitMs: number
}

const minuteMs = 60_000
const fromSource = [
  '--conditions=lockstep-source',
  '--conditions=lockstep-test',
  '--disable-warning=ExperimentalWarning',
]

export const vitestStep: Step = {
  name: 'unit and conformance',
  file: 'vitest.config.ts',
  command: vitestCommand(['--reporter=default', '--reporter=./tools/test/collect-reporter.ts']),
  limitMs: 8 * minuteMs,
}

export const steps: readonly Step[] = [
  {
    name: 'build',
    file: 'tools/build.ts',
    command: nodeCommand([join(root, 'tools/build.ts')]),
    limitMs: 2 * minuteMs,
  },
  vitestStep,
  program('simulator', 'sim/main.ts', ['--smoke'], 2 * minuteMs),
  program('mutants', 'sim/mutants.ts', ['--smoke'], minuteMs),
  program('explorer', 'explore/main.ts', ['--smoke'], 2 * minuteMs),
  program('crash smoke', 'crash/main.ts', ['--smoke'], 4 * minuteMs),
  program('crash smoke of locks', 'crash/main.ts', ['--locks', 'all', '--smoke'], 3 * minuteMs),
]

export function isMissing(step: Step): boolean {
  return !existsSync(join(root, step.file))
}

function program(name: string, file: string, args: readonly string[], limitMs: number): Step {
  return { name, file, command: nodeCommand([...fromSource, join(root, file), ...args]), limitMs }
}
