import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { ParticipantDefinition } from '../ports/index.ts'
import type { Branch, LaterBranch } from './branch.ts'
import type { JsonOutput, Sent } from './json-output.ts'

/**
 * A participant takes part in one way, and says so in its type: a saga has steps that are done and undone, a TCC has branches that
 * are tried and then confirmed or cancelled, a message is delivered.
 */
export type ParticipantKind = 'action' | 'tcc' | 'deliver'

/** A participant with what callers must know of it: the input they send, the output they get. */
export interface Participant<Input = unknown, Output = unknown, Name extends string = string>
  extends ParticipantDefinition {
  readonly name: Name
  readonly kind: ParticipantKind
  /** Types only; undefined at run time. */
  readonly types?: { readonly input: Input; readonly output: Output }
}

/** A step of a saga: operations action and compensate. */
export interface ActionParticipant<Input = unknown, Output = unknown, Name extends string = string>
  extends Participant<Input, Output, Name> {
  readonly kind: 'action'
}

/** A branch of a TCC: operations try, confirm and cancel. */
export interface TccParticipant<Input = unknown, Output = unknown, Name extends string = string>
  extends Participant<Input, Output, Name> {
  readonly kind: 'tcc'
}

/** A receiver of reliable messages: operation deliver. */
export interface DeliveryParticipant<Input = unknown, Output = unknown, Name extends string = string>
  extends Participant<Input, Output, Name> {
  readonly kind: 'deliver'
}

type Forward<Parsed, Result> = (
  input: Parsed,
  branch: Branch,
) => Promise<Result & JsonOutput<Result>> | (Result & JsonOutput<Result>)

type Later<Parsed, Result> = (input: Parsed, branch: LaterBranch<Sent<Result>>) => Promise<unknown> | unknown

interface CommonOptions<Input, Parsed, Result, Shown> {
  /** Any Standard Schema: zod, valibot, arktype. Input that fails it is refused before the business. */
  readonly input: StandardSchemaV1<Input, Parsed>
  readonly output?: StandardSchemaV1<Result, Shown>
  /** False for work that is idempotent by itself and does not use `branch.transact`. */
  readonly barrier?: boolean
}

export interface ActionOperations<Input, Parsed, Result, Shown> extends CommonOptions<Input, Parsed, Result, Shown> {
  /** The work. Return what `branch.transact` gives. */
  readonly action: Forward<Parsed, Result>
  /** Undoes the work. Called with the action's input, also when the action may never have run. */
  readonly compensate?: Later<Parsed, Result>
}

export interface TccOperations<Input, Parsed, Result, Shown> extends CommonOptions<Input, Parsed, Result, Shown> {
  /** Reserves what confirm will take, so that confirm cannot fail for want of it. Return what `branch.transact` gives. */
  readonly try: Forward<Parsed, Result>
  /** Takes what was reserved. Called only after the decision to commit, until it succeeds: it may not refuse. */
  readonly confirm: Later<Parsed, Result>
  /** Frees what was reserved. Called until it succeeds, also when the try may never have run: it may not refuse. */
  readonly cancel: Later<Parsed, Result>
  /**
   * True for a try that also works outside the database, and may throw after that and lose its row: cancel then runs although no row
   * is found, with `branch.empty` true. A try that comes after such a cancel is still refused, but only by its `branch.transact`:
   * whatever it does before that is its own to undo.
   */
  readonly cancelOnEmpty?: boolean
}

export interface DeliveryOperations<Input, Parsed, Result, Shown> extends CommonOptions<Input, Parsed, Result, Shown> {
  /** Takes the message in. A redelivery does not run it again. Return what `branch.transact` gives. */
  readonly deliver: Forward<Parsed, Result>
}

export type ParticipantOptions<Input, Parsed, Result, Shown> =
  | ActionOperations<Input, Parsed, Result, Shown>
  | TccOperations<Input, Parsed, Result, Shown>
  | DeliveryOperations<Input, Parsed, Result, Shown>

declare const noResult: unique symbol

/** The result of a kind that the options are not of. Not `never`: a function that only throws has that. */
export interface NoResult {
  readonly [noResult]: true
}

/**
 * The options, with one result per kind: the compiler infers only the one whose function is there, and thereby tells the kinds apart.
 * Overloads would do the same, but then every mistake is reported as "no overload matches", at the wrong place.
 */
export type OptionsByResult<Input, Parsed, Acted, Tried, Delivered, Shown> =
  | (ActionOperations<Input, Parsed, Acted, Shown> & Without<TccKeys | 'deliver'>)
  | (TccOperations<Input, Parsed, Tried, Shown> & Without<ActionKeys | 'deliver'>)
  | (DeliveryOperations<Input, Parsed, Delivered, Shown> & Without<ActionKeys | TccKeys>)

type ActionKeys = 'action' | 'compensate'
type TccKeys = 'try' | 'confirm' | 'cancel' | 'cancelOnEmpty'
type Without<Keys extends string> = { readonly [Key in Keys]?: never }

type Choose<Acted, Tried, IfAction, IfTcc, IfDelivery> =
  IsGiven<Acted> extends true ? IfAction : IsGiven<Tried> extends true ? IfTcc : IfDelivery

/** Both are asked whether they are the very same, since `any` would extend everything. */
type IsGiven<Result> = (<T>() => T extends Result ? 1 : 2) extends <T>() => T extends NoResult ? 1 : 2 ? false : true

export type ResultOf<Acted, Tried, Delivered> = Choose<Acted, Tried, Acted, Tried, Delivered>

export type ParticipantOf<Acted, Tried, Input, Shown, Name extends string> = Choose<
  Acted,
  Tried,
  ActionParticipant<Input, Shown, Name>,
  TccParticipant<Input, Shown, Name>,
  DeliveryParticipant<Input, Shown, Name>
>
