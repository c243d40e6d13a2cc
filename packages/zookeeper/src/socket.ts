import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'
import type { Server } from './servers.ts'

/** As of `node:tls`: `ca`, `cert`, `key`, `servername`, … The server is always the one of the list. */
export type TlsOptions = Omit<ConnectionOptions, 'host' | 'port' | 'path' | 'socket'>

/** A socket that is about to connect; `ready` is called once, when bytes may be written. */
export function openSocket({ host, port }: Server, tls: TlsOptions | undefined, ready: () => void): Socket {
  if (tls === undefined) return connectPlain({ host, port, noDelay: true }, ready)
  const name = isIP(host) === 0 ? { servername: host } : {}
  const socket = connectSecurely({ ...name, ...tls, host, port }, ready)
  socket.setNoDelay(true)
  return socket
}

/**
 * To a port of this machine where nobody listens, TCP may connect a socket with itself, when that port is its own by chance. It would
 * then read what it has sent: a hello that reads as the greeting of an expired session.
 */
export function isWithItself({ localAddress, localPort, remoteAddress, remotePort }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress
}
