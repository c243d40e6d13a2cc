interface AnySchema<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => { value: T }
  }
}

/** Takes whatever comes: what a simulated client sends is what a simulated participant expects. */
export function anySchema<T>(): AnySchema<T> {
  return { '~standard': { version: 1, vendor: 'sim', validate: (value) => ({ value: value as T }) } }
}
