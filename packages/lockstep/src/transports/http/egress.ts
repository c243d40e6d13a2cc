import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { BlockList, isIP } from 'node:net'

/**
 * Addresses that no participant has, and whose answers give away the machine's credentials: link-local ones, among them
 * the metadata services of the clouds.
 */
const forbidden = new BlockList()
forbidden.addSubnet('169.254.0.0', 16, 'ipv4')
forbidden.addSubnet('fe80::', 10, 'ipv6')
forbidden.addAddress('fd00:ec2::254', 'ipv6')
forbidden.addAddress('100.100.100.200', 'ipv4')

export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && forbidden.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** The host as it stands in a URL. Names are looked at when they are resolved, in `guardedLookup`. */
export function isForbiddenHost(hostname: string): boolean {
  return isForbiddenAddress(hostname.replace(/^\[|\]$/g, ''))
}

/** Resolves like the system, and fails where any of the addresses is forbidden: which one is then used is not ours to say. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const addresses = Array.isArray(address) ? address.map((one) => one.address) : [address]
    if (error === null && addresses.some(isForbiddenAddress)) {
      callback(new Error(`${hostname} leads to a link-local address, which is never called.`), '', 0)
    } else callback(error, address, family)
  })
}
