import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** From bench/peers, where the bench installs them; nothing of Lockstep depends on them. */
const fromPeers = createRequire(new URL('../../peers/package.json', import.meta.url))

/** The module as its users see it. Only what is used of it is named, since some have no types and others types of another release. */
export async function loadPeer<Module>(name: string): Promise<Module> {
  const loaded = await import(pathToFileURL(fromPeers.resolve(name)).href)
  return { ...loaded.default, ...loaded } as Module
}
