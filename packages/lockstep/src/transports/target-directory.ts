import type { ParticipantDefinition, TargetDirectory } from '../ports/index.ts'
import { isCheckBack } from '../ports/index.ts'
import { isServiceName, isUrlTarget, splitParticipantName } from '../protocol/index.ts'
import type { ServiceSettings } from './http/services.ts'
import { ServiceDirectory } from './http/services.ts'

export interface TargetDirectoryOptions {
  readonly participants?: readonly ParticipantDefinition[]
  readonly services?: ReadonlyMap<string, ServiceSettings>
  /** `registered` forbids URLs under no registered service, `any` only public addresses. The same setting as the HTTP transport's. */
  readonly urls?: 'any' | 'registered'
}

/** What a begin may ask about its targets, answered from the same settings that the transports use. */
export function targetDirectory(options: TargetDirectoryOptions): TargetDirectory {
  const participants = new Map((options.participants ?? []).map((participant) => [participant.name, participant]))
  const services = new ServiceDirectory(options.services ?? new Map())
  const { urls = 'any' } = options
  const isParticipant = (target: string): boolean => {
    const known = participants.get(target)
    return known === undefined ? splitParticipantName(target) !== null : !isCheckBack(known)
  }
  return {
    usesBarrier: (target) => participants.get(target)?.barrier ?? services.serviceOf(target)?.barrier ?? false,
    serviceOf: (target) => services.serviceOf(target)?.name ?? serviceNameIn(target),
    refuses(target, as = 'participant', operations = []) {
      if (isUrlTarget(target)) {
        return services.destination(target, 'check') === null
          ? 'must be an http or https URL without credentials'
          : null
      }
      if (as === 'check-back') return isServiceName(target) ? null : noCheckBack
      if (!isParticipant(target)) return noParticipant(target)
      const known = participants.get(target)
      const lacking = operations.find((operation) => known?.operations.includes(operation) === false)
      return lacking === undefined ? null : `is a participant without the operation ${lacking}`
    },
    forbids(target) {
      const destination = isUrlTarget(target) ? services.destination(target, 'check') : null
      if (destination === null || destination.service !== null) return null
      if (urls === 'registered') return 'must lie under the url of a registered service'
      return destination.isPublic ? 'is a public address, and lies under no registered service' : null
    },
  }
}

/** The service that a target names by itself: before the dot of a participant, or all of it for a check-back. */
function serviceNameIn(target: string): string | null {
  if (isUrlTarget(target)) return null
  return splitParticipantName(target)?.service ?? (isServiceName(target) ? target : null)
}

const noCheckBack = 'must be an http or https URL, or the bare name of a service, whose check-back it then is'

/** `<broker>:<topic>` is how a delivery names a broker, so the words must not leave a person to look for a mistake in the name. */
function noParticipant(target: string): string {
  const possible = 'must be an http or https URL, or a participant as <service>.<name>'
  const broker = /^([A-Za-z0-9._~-]{1,64}):(?!\/\/)/.exec(target)?.[1]
  return broker === undefined ? possible : `${possible}; no broker is configured under the name "${broker}"`
}
