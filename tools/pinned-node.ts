/** Every script of the workspace runs under the Node that the lockfile pins, whatever the machine has. */
export function requirePinnedNode(): void {
  if (process.version.startsWith('v24.')) return
  console.error(`lockstep: this script needs Node 24, not ${process.version}. Run it through npm, see package.json.`)
  process.exit(1)
}
