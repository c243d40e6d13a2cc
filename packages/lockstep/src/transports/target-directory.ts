import type { ParticipantDefinition, TargetDirectory } from '../ports/index.ts'
import { isUrlTarget, splitParticipantName } from '../protocol/index.ts'
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
  return {
    usesBarrier: (target) => participants.get(target)?.barrier ?? services.serviceOf(target)?.barrier ?? false,
    serviceOf: (target) =>
      services.serviceOf(target)?.name ??
      (isUrlTarget(target) ? null : (splitParticipantName(target)?.service ?? null)),
    refuses(target) {
      if (isUrlTarget(target)) {
        return services.destination(target, 'check') === null
          ? 'must be an http or https URL without credentials'
          : null
      }
      if (participants.has(target) || splitParticipantName(target) !== null) return null
      return 'must be an http or https URL, or a participant as <service>.<name>'
    },
    forbids(target) {
      const destination = isUrlTarget(target) ? services.destination(target, 'check') : null
      if (destination === null || destination.service !== null) return null
      if (urls === 'registered') return 'must lie under the url of a registered service'
      return destination.isPublic ? 'is a public address, and lies under no registered service' : null
    },
  }
}
