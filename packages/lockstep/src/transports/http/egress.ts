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

/** Where services live that nobody has registered: on this machine, or in the same private network. */
const local = new BlockList()
local.addSubnet('127.0.0.0', 8, 'ipv4')
local.addSubnet('10.0.0.0', 8, 'ipv4')
local.addSubnet('172.16.0.0', 12, 'ipv4')
local.addSubnet('192.168.0.0', 16, 'ipv4')
local.addAddress('::1', 'ipv6')
local.addSubnet('fc00::', 7, 'ipv6')

function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !local.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** For a host that stands in a URL as an address; what a name leads to is looked at in the lookup. */
export function isPublicLiteral(hostname: string): boolean {
  return isPublicAddress(hostname.replace(/^\[|\]$/g, ''))
}

export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && forbidden.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** The host as it stands in a URL. Names are looked at when they are resolved, in `guardedLookup`. */
export function isForbiddenHost(hostname: string): boolean {
  return isForbiddenAddress(hostname.replace(/^\[|\]$/g, ''))
}

type Refusal = (address: string) => string | null

const refusesForbidden: Refusal = (address) =>
  isForbiddenAddress(address) ? 'a link-local address, which is never called' : null

const refusesPublic: Refusal = (address) =>
  refusesForbidden(address) ??
  (isPublicAddress(address) ? 'a public address, and belongs to no registered service' : null)

/** Resolves like the system, and fails where any of the addresses is refused: which one is then used is not ours to say. */
function lookupUnless(refuses: Refusal): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      const addresses = Array.isArray(address) ? address.map((one) => one.address) : [address]
      const refusal = error === null ? addresses.map(refuses).find((why) => why !== null) : undefined
      if (refusal === undefined || refusal === null) callback(error, address, family)
      else callback(new Error(`${hostname} leads to ${refusal}.`), '', 0)
    })
  }
}

/** For services that somebody has registered. */
export const guardedLookup: LookupFunction = lookupUnless(refusesForbidden)

/** For URLs that came with a begin. */
export const localLookup: LookupFunction = lookupUnless(refusesPublic)
