import { LockstepError } from '../errors.ts'
import { localBranch } from './headers.ts'

/**
 * Names travel in headers, URL paths and key columns, so they are few characters of ASCII, never cut and never
 * changed. `.` and `..` are no names, because a URL swallows them.
 *
 * A participant is `<service>.<name>`. A service name holds no dot, so the FIRST dot parts the two:
 * `bank-a.accounts.debit` is `accounts.debit` of the service `bank-a`.
 */
const transactionIdPattern = /^(?!\.{1,2}$)[A-Za-z0-9._:~-]{1,128}$/
const namePattern = /^(?!\.{1,2}$)(?!_)[A-Za-z0-9._:~-]{1,64}$/
const servicePattern = /^(?!_)[A-Za-z0-9_~-]{1,64}$/
const storePattern = /^[0-9a-f]{8}$/
const urlPattern = /^https?:\/\//i

export function isTransactionId(text: string): boolean {
  return transactionIdPattern.test(text)
}

/** For steps, branches and the second part of a participant. */
export function isName(text: string): boolean {
  return namePattern.test(text)
}

/** A branch as it stands in `lockstep-branch`: a user's name, or the reserved local branch. */
export function isBranchHeader(text: string): boolean {
  return text === localBranch || isName(text)
}

export function isServiceName(text: string): boolean {
  return servicePattern.test(text)
}

export function isStoreId(text: string): boolean {
  return storePattern.test(text)
}

/** True for targets that are an absolute http or https URL. Whether it may be called is another question. */
export function isUrlTarget(target: string): boolean {
  return urlPattern.test(target)
}

export interface ParticipantName {
  readonly service: string
  readonly name: string
}

/** The two parts, or null when the text is no participant name. */
export function splitParticipantName(text: string): ParticipantName | null {
  const dot = text.indexOf('.')
  if (dot < 1) return null
  const service = text.slice(0, dot)
  const name = text.slice(dot + 1)
  return isServiceName(service) && isName(name) ? { service, name } : null
}

/** Answers the id, or fails with `LOCKSTEP_INVALID_REQUEST`. `path` is a JSON Pointer into the request. */
export function checkTransactionId(id: unknown, path = '/id'): string {
  if (typeof id === 'string' && isTransactionId(id)) return id
  throw invalidName(path, 'A transaction id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ - and neither "." nor "..".')
}

/** Answers the step or branch name, or fails with `LOCKSTEP_INVALID_REQUEST`. */
export function checkBranchName(name: unknown, path = '/name'): string {
  if (typeof name === 'string' && isName(name)) return name
  throw invalidName(path, 'A name is 1 to 64 characters of A-Z a-z 0-9 . _ : ~ - and does not start with "_".')
}

/** Answers the two parts, or fails with `LOCKSTEP_CONFIGURATION`: participant names are written in code. */
export function checkParticipantName(name: string): ParticipantName {
  const parts = splitParticipantName(name)
  if (parts !== null) return parts
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message:
      `"${name.slice(0, 200)}" is no participant name: it must be <service>.<name>, the service 1 to 64 characters of ` +
      'A-Z a-z 0-9 _ ~ -, the name 1 to 64 of A-Z a-z 0-9 . _ : ~ -, neither starting with "_".',
    next: "Write it like participant('bank-a.debit', …).",
  })
}

function invalidName(path: string, message: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path, message }] })
}
