/**
 * While a seed runs, whatever would make two runs differ throws, so that a leak fails at once with its stack.
 */
const banned: readonly [object: object, name: string][] = [
  [Date, 'now'],
  [Math, 'random'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [globalThis, 'fetch'],
  [performance, 'now'],
]

/** Answers the function that lifts the ban. */
export function banNondeterminism(): () => void {
  const originals = banned.map(([object, name]) => Object.getOwnPropertyDescriptor(object, name))
  for (const [object, name] of banned) {
    const refuse = () => {
      throw new Error(`${name} inside a simulation: use the port`)
    }
    Object.defineProperty(object, name, { value: refuse, configurable: true, writable: true })
  }
  return () => {
    for (const [position, [object, name]] of banned.entries()) {
      const original = originals[position]
      if (original === undefined) delete (object as Record<string, unknown>)[name]
      else Object.defineProperty(object, name, original)
    }
  }
}
