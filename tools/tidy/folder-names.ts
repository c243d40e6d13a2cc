import type { Rule } from './source.ts'

const catchAll = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'shared', 'misc', 'lib'])

/** A folder is a noun of the domain. What has no home lives with the one thing that uses it. */
export const folderNames: Rule = ({ path }) => {
  const folder = path
    .split('/')
    .slice(0, -1)
    .find((name) => catchAll.has(name.toLowerCase()))
  return folder ? [{ path, line: 1, message: `the folder "${folder}" says nothing of what is in it` }] : []
}
