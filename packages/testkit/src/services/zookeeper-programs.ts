import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface ZooKeeperPrograms {
  readonly java: string
  readonly classPath: string
}

/** Debian's package brings the jar alone; its manifest names the rest. */
const debianJar = '/usr/share/java/zookeeper.jar'
/** What the manifest forgets, from packages that come along: Netty's for TLS, and something to write a log with. */
const debianExtras = ['netty-codec', 'netty-resolver', 'netty-transport-native-unix-common', 'slf4j-simple']

/** Finds Java on the PATH, and the server in LOCKSTEP_TEST_ZOOKEEPER_CLASSPATH or where Debian keeps it. */
export function zookeeperPrograms(): ZooKeeperPrograms | { readonly reason: string } {
  const java = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'java'))
    .find(isExecutable)
  if (java === undefined) return { reason: 'There is no Java on the PATH, and ZooKeeper needs one.' }
  const given = process.env['LOCKSTEP_TEST_ZOOKEEPER_CLASSPATH'] || undefined
  if (given !== undefined) return { java, classPath: given }
  const extras = debianExtras.map((name) => `/usr/share/java/${name}.jar`)
  if (existsSync(debianJar)) return { java, classPath: [debianJar, ...extras].join(delimiter) }
  return { reason: `No ZooKeeper server is installed: there is no ${debianJar}.` }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
