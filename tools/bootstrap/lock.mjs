import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Two scripts started together in one fresh clone must not install or build over each other. The lock is a file that
 * names the processes holding it; a process that was killed leaves the file behind, and the next one takes it over.
 * `work` gets a function that adds a process: an npm whose parent was killed goes on alone, and must be waited for.
 */
export async function withLock(root, work) {
  mkdirSync(join(root, '.cache'), { recursive: true })
  const file = join(root, '.cache', 'bootstrap.lock')
  let said = false
  while (!take(file)) {
    if (!said) console.log('lockstep: another script installs or builds here, waiting for it')
    said = true
    await sleep(200)
  }
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work((pid) => appendFileSync(file, ` ${pid}`))
  } finally {
    process.off('exit', release)
    release()
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (!readOwners(file).some(isAlive)) rmSync(file, { force: true })
    return false
  }
}

function readOwners(file) {
  try {
    return readFileSync(file, 'utf8').split(' ').map(Number)
  } catch {
    return []
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
