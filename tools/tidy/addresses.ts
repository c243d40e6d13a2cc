import { findAll, type Rule } from './source.ts'

const registry = /registry\.(?:npmjs|yarnpkg)/g
const machinePath = /(?<![\w.:/~-])\/(?:work|root)\/[\w.]+/g

/** What is true on one machine only. */
export const addresses: Rule = (source) => [
  ...findAll(source, source.text, registry, () => 'the address of a package registry'),
  ...findAll(source, source.text, machinePath, (found) => `a path of one machine: ${found}`),
]
