/** Compiled, never run: a word that one side has and the other lacks is an error here. */
import type { OperatorAction, Pattern, Status } from '../ports/index.ts'
import type { ActionName, patterns, statuses } from './vocabulary.ts'

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
const holds = <_T extends true>(): void => {}

holds<Same<Status, (typeof statuses)[number]>>()
holds<Same<Pattern, (typeof patterns)[number]>>()
holds<Same<OperatorAction | 'hold' | 'resume', ActionName>>()
