import type { Advance } from '../ports/index.ts'

/** Why an event was not accepted; the transaction stays as it is. */
export interface Refused {
  readonly refusal: NonNullable<Advance['refusal']>
}

export function notAllowed(message: string): Refused {
  return { refusal: { code: 'LOCKSTEP_ACTION_NOT_ALLOWED', message } }
}
