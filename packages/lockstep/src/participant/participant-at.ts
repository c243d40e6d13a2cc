import type { Participant } from './kinds.ts'

/** What a caller must know of a participant of another service: its name, and its types. */
export type ParticipantReference<Declared extends Participant> = Pick<Declared, 'name'> & {
  readonly kind?: Declared['kind']
  readonly types?: NonNullable<Declared['types']>
}

/**
 * A participant of another service by its name, with the types that the service has declared. Only types are imported.
 *
 * @example
 * import type { hold } from '@trip/seats'
 * await t.try(participantAt<typeof hold>('seats.hold'), { flight, seat })
 */
export function participantAt<Declared extends Participant>(name: Declared['name']): ParticipantReference<Declared> {
  return { name } as ParticipantReference<Declared>
}
