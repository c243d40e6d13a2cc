#!/usr/bin/env node
// Plain JavaScript, so that an old Node can read this far and say what it lacks.
import { existsSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `lockstep needs Node 22.19 or newer, and this is ${process.version}. Install a newer Node from https://nodejs.org.`,
  )
  process.exit(1)
}

const main = new URL('../dist/main.js', import.meta.url)
if (!existsSync(main)) {
  console.error('lockstep is not built yet. Run `npm run build` in the root of the workspace.')
  process.exit(1)
}

silenceSqliteWarning()
await import(main.href)

/** Node 24 warns once that node:sqlite is experimental. We test it on every release; every other warning is shown. */
function silenceSqliteWarning() {
  const emit = process.emit
  process.emit = function (event, warning, ...rest) {
    if (event === 'warning' && warning?.name === 'ExperimentalWarning' && /SQLite/.test(warning.message)) return false
    return emit.call(this, event, warning, ...rest)
  }
}
