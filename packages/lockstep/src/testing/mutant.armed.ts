/** Known bugs for proving that the suites catch them. Loads only under `node --conditions=lockstep-test`. */
let armed: string | null = null

export function armMutant(name: string | null): void {
  armed = name
}

export function mutant(name: string): boolean {
  return armed === name
}
