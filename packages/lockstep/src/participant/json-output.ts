import type { Json } from '../ports/index.ts'

/** What arrives at the other end: a function that returns nothing is answered with null. */
export type Sent<Result> = [Result] extends [undefined] ? null : Result extends void ? null : Result

/**
 * The type itself where JSON carries it unchanged, and `never` at the places where it does not: a Date would arrive as
 * a text, a Map as an empty object, a bigint not at all.
 */
export type JsonOutput<Result> = [Result] extends [Json]
  ? Result
  : Result extends string | number | boolean | null | undefined
    ? Result
    : Result extends bigint | symbol | Date | RegExp | Error | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
      ? never
      : Result extends (...parameters: never[]) => unknown
        ? never
        : { [Key in keyof Result]: JsonOutput<Result[Key]> }
