import { LockstepError } from '../errors.ts'
import type { ParticipantDefinition } from '../ports/index.ts'

/** Two participants of one name would answer each other's calls. */
export function participantsByName(
  participants: readonly ParticipantDefinition[],
  nameOf: (participant: ParticipantDefinition) => string = (participant) => participant.name,
): ReadonlyMap<string, ParticipantDefinition> {
  const byName = new Map<string, ParticipantDefinition>()
  for (const participant of participants) {
    const name = nameOf(participant)
    if (byName.has(name)) {
      throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: `Two participants are called ${name}.` })
    }
    byName.set(name, participant)
  }
  return byName
}
