/** A request without any framework around it. `header` answers the empty text for what is missing. */
export interface RawRequest {
  readonly method: string
  /** The path with its query. */
  readonly url: string
  readonly signal?: AbortSignal
  header(name: string): string
}
