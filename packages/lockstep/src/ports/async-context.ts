/** A value that goes along with a piece of asynchronous work, as `AsyncLocalStorage` has it. */
export interface AsyncContext {
  get(): unknown
  run<Result>(value: unknown, work: () => Result): Result
}
