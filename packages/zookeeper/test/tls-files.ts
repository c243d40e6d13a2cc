import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export interface TlsFiles {
  readonly keyStore: string
  readonly certificate: string
  readonly password: string
}

/** A key and its own certificate for 127.0.0.1, made by Java's keytool: it is there wherever ZooKeeper is. */
export function makeTlsFiles(directory: string): TlsFiles {
  const password = 'only-for-this-test'
  const keyStore = join(directory, 'server.p12')
  const store = ['-keystore', keyStore, '-storetype', 'PKCS12', '-storepass', password, '-alias', 'server']
  const key = ['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '2', '-dname', 'CN=zookeeper']
  keytool(['-genkeypair', ...store, ...key, '-ext', 'SAN=IP:127.0.0.1,DNS:localhost'])
  return { keyStore, password, certificate: keytool(['-exportcert', '-rfc', ...store]) }
}

function keytool(args: readonly string[]): string {
  return execFileSync('keytool', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
