import { join } from 'node:path'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
}

export const root: string = join(import.meta.dirname, '..')

/** Tools are called by file, never through .bin: those start whichever Node comes first in PATH. */
export function nodeCommand(args: readonly string[]): Command {
  return { file: process.execPath, args }
}

export function tscCommand(args: readonly string[]): Command {
  return nodeCommand([join(root, 'node_modules/typescript/bin/tsc'), ...args])
}

export function biomeCommand(args: readonly string[]): Command {
  return nodeCommand([join(root, 'node_modules/@biomejs/biome/bin/biome'), ...args])
}

export function vitestCommand(args: readonly string[]): Command {
  return nodeCommand([join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args])
}
