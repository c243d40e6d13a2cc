import type { IncomingMessage } from 'node:http'
import { LockstepError } from 'lockstep'

const loopbackHost = /^(?:localhost|(?:[\w-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/**
 * Without keys, being on this machine is the only right there is, and a browser lends it to every page it shows. So a
 * server on loopback answers no page of another origin, and no name that somebody else's DNS points at this machine.
 */
export function refuseStrangers({ headers }: IncomingMessage): void {
  const { host, origin } = headers
  if (host !== undefined && host !== '' && !loopbackHost.test(host)) {
    throw forbidden('The Host header names another machine.', 'Call the server by localhost or 127.0.0.1.')
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw forbidden(
      'The request comes from a page of another origin.',
      'Call the server from a program, not from a web page.',
    )
  }
}

function forbidden(message: string, next: string): LockstepError {
  return new LockstepError('LOCKSTEP_FORBIDDEN', { message, next })
}
