import type { Transport } from '../ports/index.ts'

/**
 * One transport over several: the first that knows a way to the target carries the call. Give them in the order in which
 * targets are resolved: in process, then HTTP.
 */
export function routingTransport(transports: readonly Transport[]): Transport {
  const routeOf = (target: string): Transport | undefined => transports.find((transport) => transport.canCall(target))
  return {
    call(call) {
      const route = routeOf(call.target)
      if (route !== undefined) return route.call(call)
      return Promise.resolve({
        kind: 'unknown',
        error: `This instance knows no way to ${call.target}.`,
        unreached: true,
      })
    },
    canCall: (target) => routeOf(target) !== undefined,
    endpointOf: (target) => routeOf(target)?.endpointOf(target) ?? target,
    async close() {
      await Promise.all(transports.map((transport) => transport.close()))
    },
  }
}
