/** Bounds of the wire. All are defaults that a configuration may tighten; none is without a bound. */
export const bodyBytesMax = 1_048_576
export const jsonDepthMax = 32
export const jsonKeysMax = 2_000
export const transactionIdCharactersMax = 128
export const nameCharactersMax = 64
/** How long an answer may be waited for in one request. */
export const waitMaxMs = 60_000

/** How long a participant's database remembers what ran. Calls of older transactions are never guessed about (law 10). */
export const barrierRetentionMs = 30 * 24 * 60 * 60 * 1000
/** How long a barrier insert waits for another open transaction with the same key before it answers "ask again". */
export const barrierLockWaitMs = 2_000
/** A signature is refused when its timestamp is further away than this. */
export const signatureToleranceMs = 5 * 60 * 1000
/** `Retry-After` is honoured up to here, so that a wrong header cannot park a transaction for ever. */
export const retryAfterMsMax = 60 * 60 * 1000
